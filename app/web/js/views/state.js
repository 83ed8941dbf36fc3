/** The view State. */

import { h } from "../dom.js";

/** Makes the view: its element, and what is done when it is shown and hidden. */
export function createState() {
  return {
    element: h("section", { class: "view" }, h("header", {}, h("h1", { tabindex: "-1" }, "State"), h("p", {}, "Whether all is in order, and how it is doing."))),
  };
}
