/** Who asks, as far as the page has to know: whoever may do everything, or one profile's key. */

import { get } from "./api.js";
import { onKeyChange } from "./key.js";

let known = null;

onKeyChange(() => { known = null; });

/** Whether the tab may manage everything (profiles, keys, state). Asked once for each key. */
export function mayManage() {
  known ??= asked().catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

async function asked() {
  try {
    await get("/v1/keys");
    return true;
  } catch (error) {
    if (error.status === 403) return false;
    throw error;
  }
}
