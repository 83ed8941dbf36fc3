/** Dialogs, by the browser's own element: focus goes in, stays in, and comes back. */

import { h, uniqueId } from "../dom.js";
import { once } from "./once.js";

/**
 * Opens a dialog with `title` and whatever `content(close)` gives; resolves to what `close` was called with,
 * or to null after Escape, if `mayLeave()` resolves to true then.
 */
export function openDialog(title, content, { wide = false, mayLeave = null } = {}) {
  return new Promise((resolve) => {
    let result = null;
    const heading = uniqueId("dialog");
    const close = (value = null) => {
      result = value;
      dialog.close();
    };
    const dialog = h(
      "dialog",
      { "aria-labelledby": heading, class: wide ? "wide" : null },
      h("div", { class: "inner" }, h("h2", { id: heading, dir: "auto" }, title), content(close)),
    );
    const leave = once(async () => await mayLeave() && close());
    dialog.addEventListener("cancel", (event) => {
      if (!mayLeave || event.target !== dialog) return;
      event.preventDefault();
      leave();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks before something that cannot be undone; resolves to whether to go on. `act` names it: "Delete". */
export async function confirmed(title, text, act, { cancel = "Cancel" } = {}) {
  return (await openDialog(title, (close) => [
    h("p", {}, text),
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button", type: "button", autofocus: true, onclick: () => close(false) }, cancel),
      h("button", { class: "button danger", type: "button", onclick: () => close(true) }, act),
    ),
  ])) === true;
}

/** Whether what was `written` may be given up: asks where something was. */
export async function mayGiveUp(written) {
  const words = "What you have written here is not saved.";
  return !written || confirmed("Leave without saving?", words, "Leave", { cancel: "Go on writing" });
}
