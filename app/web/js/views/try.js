/** The view Try. */

import { h } from "../dom.js";

/** Makes the view: its element, and what is done when it is shown and hidden. */
export function createTry() {
  return {
    element: h("section", { class: "view" }, h("header", {}, h("h1", { tabindex: "-1" }, "Try"), h("p", {}, "See what steering does to a reply, word by word."))),
  };
}
