/** The API key of this tab: in its session storage, which ends with it, and nowhere else. */

const NAME = "costeer-key";
const listeners = new Set();

/** The key that requests carry; null where there is none. */
export function keyInUse() {
  return sessionStorage.getItem(NAME);
}

/** Uses another key from now on, or none, and tells those who listen. */
export function useKey(key) {
  if (key) sessionStorage.setItem(NAME, key);
  else sessionStorage.removeItem(NAME);
  for (const listener of listeners) listener();
}

/** Calls `listener` after each change of the key. */
export function onKeyChange(listener) {
  listeners.add(listener);
}
