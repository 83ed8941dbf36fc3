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

/** Likewise for what submits a form; the browser's own sending is always kept back. */
export function onSubmit(work) {
  const send = once(work);
  return (event) => {
    event.preventDefault();
    send();
  };
}
