/** How replies should be: preferences, each perhaps with its opposite, in the person's order. */

import { h } from "../../dom.js";
import { field } from "../../parts/field.js";
import { createOrdered } from "./ordered.js";
import { Mistake, MOST_PREFERENCES } from "./profile_store.js";

const LENGTH = 1000;
const OPPOSITE = "The opposite, like “Answer at length.” It steers more surely with one.";
const SAME = "The opposite says the same. Say what is wanted less.";

/** The list of preferences of the profile in `store`. */
export function preferencesEditor(store) {
  return createOrdered(store, {
    noun: "preference",
    most: MOST_PREFERENCES,
    twice: "There is such a preference already. Edit that one.",
    idOf: ({ text }) => text,
    name: ({ text }) => text,
    read: ({ preferences }) => preferences.map((one) => ({ ...one, id: one.text })),
    show: shown,
    form: preferenceForm,
    patch: (_, after) => ({ preferences: after.map(({ text, opposite }) => ({ text, opposite })) }),
  });
}

function shown(item) {
  const text = h("p", { dir: "auto" });
  const opposite = h("p", { class: "quiet", dir: "auto" });
  const update = (newer) => {
    text.textContent = newer.text;
    opposite.textContent = newer.opposite ? `Rather than: ${newer.opposite}` : "";
  };
  update(item);
  return { element: h("div", { class: "words" }, text, opposite), update };
}

function preferenceForm(item) {
  const area = { rows: 2, maxlength: LENGTH, dir: "auto" };
  const text = h("textarea", { ...area, required: true, value: item?.text ?? "" });
  const opposite = h("textarea", { ...area, value: item?.opposite ?? "" });
  return {
    element: [
      field("How replies should be", text, { hint: "Like “Answer briefly.”" }),
      field("Rather than (may be empty)", opposite, { hint: OPPOSITE }),
    ],
    at: (name) => ({ text, opposite })[name],
    value() {
      const one = { text: text.value.trim(), opposite: opposite.value.trim() };
      if (!one.text) throw new Mistake("A preference needs a text.", "text");
      if (one.text === one.opposite) throw new Mistake(SAME, "opposite");
      return one;
    },
  };
}
