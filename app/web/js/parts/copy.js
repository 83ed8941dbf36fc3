/** A button that copies a text. */

import { h } from "../dom.js";
import { say, warn } from "./status.js";

/** `text()` gives what is copied; `what` names it: "Key". */
export function copyButton(what, text, label = "Copy") {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      say(`${what} copied.`);
    } catch {
      warn("The browser did not let the page copy. Select the text, and copy it yourself.");
    }
  };
  return h("button", { class: "button small", type: "button", onclick: copy }, label);
}
