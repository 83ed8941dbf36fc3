/** The form in which an item of an ordered list is written. */

import { h } from "../../dom.js";
import { reason } from "./words.js";

/**
 * A form for `item`, or for a new one where that is null. `store(value)` saves it; `close` is called behind
 * that with what it gave, and with null by Cancel and Escape. Gives the element, and `focus()`.
 */
export function itemForm(kind, item, act, store, close) {
  const inner = kind.form(item);
  const mistake = h("p", { class: "mistake", role: "alert" });
  const focus = (name) => (inner.at(name) ?? element.querySelector("input, textarea")).focus();

  async function submit(event) {
    event.preventDefault();
    mistake.textContent = "";
    try {
      close(await store(inner.value()));
    } catch (error) {
      mistake.textContent = reason(error);
      focus(error.field);
    }
  }

  function keys(event) {
    if (event.key === "Escape") close(null);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element.requestSubmit();
  }

  const element = h(
    "form",
    {
      class: "editing stack tight",
      novalidate: true,
      onsubmit: submit,
      onkeydown: keys,
      "aria-label": `${act} ${kind.noun}`,
    },
    inner.element,
    mistake,
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button main small" }, act),
      h("button", { class: "button small", type: "button", onclick: () => close(null) }, "Cancel"),
    ),
  );
  return { element, focus };
}
