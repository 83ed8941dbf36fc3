/** A labelled input, with a hint and room for what is wrong with it. */

import { h, uniqueId } from "../dom.js";

/** `input` with its label above; `hint` says how to fill it. `setMistake(element, text)` marks it. */
export function field(label, input, { hint = "" } = {}) {
  const id = input.id || uniqueId("field");
  const described = [hint && `${id}-hint`, `${id}-mistake`].filter(Boolean).join(" ");
  input.id = id;
  input.setAttribute("aria-describedby", described);
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    input,
    hint && h("span", { class: "hint", id: `${id}-hint` }, hint),
    h("span", { class: "mistake", id: `${id}-mistake`, "aria-live": "polite" }),
  );
}

/** Says below a field what is wrong with it; an empty text takes that away. */
export function setMistake(element, text) {
  const input = element.querySelector("input, select, textarea");
  element.querySelector(".mistake").textContent = text;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** A box to tick with its label beside it. */
export function check(label, properties = {}) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", ...properties }), h("span", {}, label));
}

/** A select of `[value, label]` pairs. */
export function select(options, value, properties = {}) {
  const items = options.map(([one, label]) => h("option", { value: one, selected: one === value }, label));
  return h("select", properties, items);
}
