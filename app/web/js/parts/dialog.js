/** Dialogs, by the browser's own element: focus goes in, stays in, and comes back. */

import { h, uniqueId } from "../dom.js";
import { answered, once } from "./once.js";

/**
 * Opens a dialog with `title` and whatever `content(close, leave)` gives; resolves to what `close` was called
 * with, or to null after Escape or `leave()`. These wait until what a form in the dialog sends has been
 * answered, and then for `mayLeave()`, which resolves to whether it may close.
 */
export function openDialog(title, content, { wide = false, mayLeave = null } = {}) {
  return new Promise((resolve) => {
    let result = null;
    const heading = uniqueId("dialog");
    const close = (value = null) => {
      if (!dialog.open) return;
      result = value;
      dialog.close();
    };
    const leave = once(async () => {
      await answered(dialog);
      if (dialog.open && (!mayLeave || await mayLeave())) close();
    });
    const dialog = h(
      "dialog",
      { "aria-labelledby": heading, class: wide ? "wide" : null },
      h("div", { class: "inner" }, h("h2", { id: heading, dir: "auto" }, title), content(close, leave)),
    );
    dialog.addEventListener("cancel", (event) => {
      if (event.target !== dialog || (!mayLeave && !answered(dialog))) return;
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
