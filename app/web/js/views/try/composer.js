/** The message box: one for all columns. Enter sends, Shift and Enter make a new line. */

import { h, uniqueId } from "../../dom.js";

const TOUCH = "(pointer: coarse)";

/** Gives the element, `write(text)` to put a text into it, and `setBusy(bool)`. */
export function createComposer({ send, stop }) {
  const id = uniqueId("message");
  const text = h("textarea", { id, rows: 1, placeholder: "Write a message", onkeydown: press });
  const go = h("button", { class: "button main" }, "Send");
  const halt = h("button", { class: "button", type: "button", onclick: stop, hidden: true }, "Stop");

  function press(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia(TOUCH).matches) return;
    event.preventDefault();
    submit(event);
  }

  function submit(event) {
    event.preventDefault();
    const wanted = text.value.trim();
    if (!wanted || go.disabled) return text.focus();
    text.value = "";
    return send(wanted);
  }

  function setBusy(busy) {
    if (go.disabled === busy) return;
    const from = document.activeElement;
    go.disabled = busy;
    halt.hidden = !busy;
    go.hidden = busy;
    if (busy && from === go) halt.focus();
    if (!busy && from === halt) (matchMedia(TOUCH).matches ? go : text).focus();
  }

  function write(wanted) {
    text.value = wanted;
    text.focus();
  }

  const element = h(
    "form",
    { class: "composer", onsubmit: submit },
    h("label", { class: "unseen", for: id }, "Message"),
    text,
    h("div", { class: "buttons" }, go, halt),
  );
  return { element, write, setBusy };
}
