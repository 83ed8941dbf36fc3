/** How far some work is: a bar with a sentence. */

import { h, uniqueId } from "../dom.js";

/** Gives the element, and `set(text, done, total)`; without a total the bar only says that work goes on. */
export function createProgress(label) {
  const id = uniqueId("progress");
  const text = h("span", { class: "quiet", id }, label);
  const bar = h("progress", { "aria-labelledby": id });
  return {
    element: h("div", { class: "progress" }, text, bar),
    set(words, done = null, total = null) {
      text.textContent = words;
      if (total) {
        bar.max = total;
        bar.value = done;
      } else {
        bar.removeAttribute("value");
      }
    },
  };
}
