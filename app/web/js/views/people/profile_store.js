/** One profile as the server has it, and changes to it: one after the other, each as small as it can be. */

import { get, patch, quoted } from "../../api.js";

/** The most that the server takes. */
export const MOST_PREFERENCES = 20;
export const NAME_LENGTH = 200;

/** What is wrong with what was entered, in words for the person. */
export class Mistake extends Error {
  constructor(message, field = null) {
    super(message);
    this.name = "Mistake";
    this.field = field;
  }
}

/** Holds `profile`. `listener` of `onChange` is called with each newer one. */
export function createProfileStore(profile) {
  const path = `/v1/profiles/${quoted(profile.id)}`;
  const listeners = new Set();
  let current = profile;
  let queue = Promise.resolve();

  function take(newer) {
    current = newer;
    for (const listener of listeners) listener(current);
    return current;
  }

  function next(work) {
    queue = queue.catch(() => {}).then(work);
    return queue;
  }

  return {
    get profile() { return current; },
    onChange(listener) { listeners.add(listener); },
    reload: () => next(async () => {
      const fresh = await get(path);
      return fresh.updated_at === current.updated_at && fresh.history_count === current.history_count
        ? current : take(fresh);
    }),
    /**
     * Sends what `patchOf` makes of the profile as it is now, so that another window's changes stay; it may
     * throw a Mistake, and give null where nothing is to change.
     */
    change: (patchOf) => next(async () => {
      const fresh = await get(path);
      const body = patchOf(fresh);
      return take(body === null ? fresh : await patch(path, body));
    }),
  };
}
