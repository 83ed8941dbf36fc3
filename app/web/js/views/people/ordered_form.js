/** The form in which an item of an ordered list is written. */

import { h } from "../../dom.js";
import { mayGiveUp } from "../../parts/dialog.js";
import { once, onSubmit } from "../../parts/once.js";
import { reason } from "./words.js";

/**
 * A form for `item`, or for a new one where that is null. `store(value)` saves it; `close` is called behind
 * that with what it gave, and with null by Cancel and Escape; it asks before that where something was
 * written. Gives the element, and `focus()`.
 */
export function itemForm(kind, item, act, store, close) {
  const inner = kind.form(item);
  const mistake = h("p", { class: "mistake", role: "alert" });
  const focus = (name) => (inner.at(name) ?? element.querySelector("input, textarea")).focus();

  async function submit() {
    mistake.textContent = "";
    try {
      close(await store(inner.value()));
    } catch (error) {
      mistake.textContent = reason(error);
      focus(error.field);
    }
  }

  const written = () => [...element.querySelectorAll("input, textarea")].map((one) => one.value).join("\n");
  const leave = once(async () => await mayGiveUp(written() !== before) && close(null));

  function keys(event) {
    if (event.key === "Escape") {
      event.preventDefault(); // or it closes the dialog that asks
      leave();
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element.requestSubmit();
  }

  const element = h(
    "form",
    {
      class: "editing stack tight",
      novalidate: true,
      onsubmit: onSubmit(submit),
      onkeydown: keys,
      "aria-label": `${act} ${kind.noun}`,
    },
    inner.element,
    mistake,
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button main small" }, act),
      h("button", { class: "button small", type: "button", onclick: leave }, "Cancel"),
    ),
  );
  const before = written();
  return { element, focus };
}
