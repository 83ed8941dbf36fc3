/** The form in which an item of an ordered list is written. */

import { h } from "../../dom.js";
import { mayGiveUp } from "../../parts/dialog.js";
import { answered, once, onSubmit } from "../../parts/once.js";
import { reason } from "./words.js";

/**
 * A form for `item`, or for a new one where that is null. `store(value)` saves it; `close` is called behind
 * that with what it gave, and with null by Cancel and Escape; these wait for a saving that goes on, and ask
 * where something was written that is not saved. Gives the element, and `focus()`.
 */
export function itemForm(kind, item, act, store, close) {
  const inner = kind.form(item);
  const mistake = h("p", { class: "mistake", role: "alert" });
  const focus = (name) => (inner.at(name) ?? element.querySelector("input, textarea")).focus();

  async function submit() {
    mistake.textContent = "";
    try {
      const stored = await store(inner.value());
      before = written();
      close(stored);
    } catch (error) {
      mistake.textContent = reason(error);
      focus(error.field);
    }
  }

  const written = () => [...element.querySelectorAll("input, textarea")].map((one) => one.value).join("\n");
  const leave = once(async () => {
    await answered(element);
    if (await mayGiveUp(written() !== before)) close(null);
  });

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
  let before = written();
  return { element, focus };
}
