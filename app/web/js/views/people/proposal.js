/** One proposal: what the profile would say, how surely, the passage that says it, and what to do with it. */

import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { field, select } from "../../parts/field.js";
import { markedPart } from "../../parts/marked.js";
import { CHOICES } from "./levels.js";
import { Mistake, MOST_PREFERENCES } from "./profile_store.js";
import { ownOf, readable, short } from "./words.js";

const SURE = [[0.85, "Sure"], [0.6, "Likely"], [0, "A guess"]];

/**
 * Makes the row of `proposal`: its `element`, `name`, whether it is `chosen`, `patch(profile)`, what
 * accepting it changes, and `focus()`. `accept(row)` and `reject(row)` are its acts; `chosen()` hears of its
 * box.
 */
export function createProposal(proposal, { chosen, accept, reject }) {
  const isFact = proposal.kind === "field";
  const noun = isFact ? readable(proposal.key) : "Preference";
  const name = `${noun}: ${short(proposal.value)}`;
  const box = h("input", { type: "checkbox", onchange: chosen, "aria-label": `Choose ${name}` });
  const level = isFact && select(CHOICES, proposal.level, {
    "aria-label": `What replies may say of ${noun}`,
  });
  const take = button("Accept", () => accept(row), "button small", name);
  const said = createSaid(proposal, () => take.focus());
  const title = h("h3", { class: "grow", dir: "auto" }, noun);
  const element = h("li", { class: "proposal" },
    h("div", { class: "row head" }, h("label", { class: "check" }, box), title, level),
    said.element,
    h("blockquote", { class: "passage", dir: "auto" }, passage(proposal)),
    h("div", { class: "row" },
      h("span", { class: "quiet surely" }, surely(proposal)),
      h("div", { class: "buttons" },
        button("Reject", () => reject(row), "button bare small", name),
        button("Edit", said.edit, "button small", name),
        take)));
  const row = {
    element,
    name,
    get chosen() { return box.checked; },
    set chosen(one) { box.checked = one; },
    patch: (profile) => (isFact
      ? factPatch(profile, proposal.key, said.value, level.value === proposal.level ? null : level.value)
      : preferencePatch(profile, said.value, said.opposite)),
    focus: () => take.focus(),
  };
  return row;
}

/** What the profile would say, to read and to edit; `left()` is called once it has been edited. */
function createSaid({ kind, value: first, opposite: other }, left) {
  const element = h("div", { class: "proposed" });
  const said = { element, value: first, opposite: other ?? "", edit };

  function read() {
    fill(element,
      h("p", { class: "value", dir: "auto" }, said.value),
      said.opposite && h("p", { class: "quiet", dir: "auto" }, `rather than: ${said.opposite}`));
  }

  function edit() {
    const value = h("textarea", { rows: 2, value: said.value, dir: "auto" });
    const opposite = h("input", { value: said.opposite, dir: "auto" });
    const leave = () => {
      read();
      left();
    };
    const submit = (event) => {
      event.preventDefault();
      said.value = value.value.trim() || said.value;
      said.opposite = opposite.value.trim();
      leave();
    };
    const keys = ({ key }) => key === "Escape" && leave();
    fill(element, h("form", { class: "stack tight", onsubmit: submit, onkeydown: keys },
      field(kind === "field" ? "What is so" : "How replies should be", value),
      kind !== "field" && field("Rather than", opposite, { hint: "May stay empty." }),
      h("div", { class: "buttons" },
        h("button", { class: "button small" }, "Use this"),
        button("Cancel", leave, "button bare small"))));
    value.focus();
  }

  read();
  return said;
}

function button(label, act, kind, of = "") {
  const name = of ? `${label} ${of}` : null;
  return h("button", { class: kind, type: "button", onclick: act, "aria-label": name }, label);
}

/** Several values of one fact stand beside each other, as the command line joins them. */
function factPatch({ fields, disclosure }, key, value, level) {
  const before = ownOf(fields, key);
  const known = before === value || before?.split("; ").includes(value);
  const text = known ? before : [before, value].filter(Boolean).join("; ");
  const levels = { ...disclosure.fields, [key]: level };
  return { fields: { [key]: text }, ...(level ? { disclosure: { ...disclosure, fields: levels } } : {}) };
}

function preferencePatch({ preferences }, text, opposite) {
  if (preferences.some((one) => one.text === text)) return null;
  if (preferences.length >= MOST_PREFERENCES) {
    throw new Mistake(`There are ${MOST_PREFERENCES} preferences already. Delete one first, under About.`);
  }
  return { preferences: [...preferences, opposite ? { text, opposite } : { text }] };
}

function passage({ passage: text, start, end }) {
  return markedPart(text, start, end);
}

function surely({ confidence, passages }) {
  const [, words] = SURE.find(([least]) => confidence >= least);
  return `${words}; in ${counted(passages, "passage")}`;
}
