/** The view People. */

import { h } from "../dom.js";

/** Makes the view: its element, and what is done when it is shown and hidden. */
export function createPeople() {
  return {
    element: h("section", { class: "view" }, h("header", {}, h("h1", { tabindex: "-1" }, "People"), h("p", {}, "Whom the small model knows, and what may be said of them."))),
  };
}
