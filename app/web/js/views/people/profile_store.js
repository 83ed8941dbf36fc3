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

/**
 * Holds `profile`. `listener` of `onChange` is called with a newer one once no other change is waiting: what the
 * person has done since an earlier change would be drawn as it was.
 */
export function createProfileStore(profile) {
  const path = `/v1/profiles/${quoted(profile.id)}`;
  const listeners = new Set();
  let current = profile;
  let told = profile;
  let waiting = 0;
  let queue = Promise.resolve();

  function take(newer) {
    current = newer;
    return current;
  }

  function tell() {
    waiting -= 1;
    if (waiting || told === current) return;
    told = current;
    for (const listener of listeners) listener(current);
  }

  function next(work) {
    waiting += 1;
    queue = queue.catch(() => {}).then(work).finally(tell);
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
