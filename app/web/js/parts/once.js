/** Acts that take their time, and must not run twice at once: a second press does not make a second key. */

/** `work`, of which calls do nothing while an earlier one goes on. */
export function once(work) {
  let going = false;
  return async (...given) => {
    if (going) return undefined;
    going = true;
    try {
      return await work(...given);
    } finally {
      going = false;
    }
  };
}

const sendings = new WeakMap(); // by form, while what it sends is on its way

/** Likewise for what submits a form; the browser's own sending is always kept back. */
export function onSubmit(work) {
  return (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (sendings.has(form)) return;
    sendings.set(form, work().finally(() => sendings.delete(form)));
  };
}

/**
 * Resolves once what `element`, or forms in it, are sending has been answered; null where none sends. Who leaves a
 * form waits for it: until then nobody can say whether what was written is saved.
 */
export function answered(element) {
  const going = [element, ...element.querySelectorAll("form")].filter((one) => sendings.has(one));
  return going.length ? Promise.allSettled(going.map((one) => sendings.get(one))) : null;
}
