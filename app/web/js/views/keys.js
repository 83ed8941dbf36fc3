/** The view Keys. */

import { h } from "../dom.js";

/** Makes the view: its element, and what is done when it is shown and hidden. */
export function createKeys() {
  return {
    element: h("section", { class: "view" }, h("header", {}, h("h1", { tabindex: "-1" }, "Keys"), h("p", {}, "Apps get a profile by their key."))),
  };
}
