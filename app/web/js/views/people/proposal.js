/** One proposal: what the profile would say, how surely, the passage that it comes from, and what to do with it. */

import { fill, h } from "../../dom.js";
import { field, select } from "../../parts/field.js";
import { markedPart } from "../../parts/marked.js";
import { LEVELS } from "./levels.js";
import { Mistake } from "./profile_store.js";
import { counted, readable, short } from "./words.js";

const MOST_PREFERENCES = 20;
const SURE = [[0.85, "sure"], [0.6, "likely"], [0, "a guess"]];

/** Makes the row of `proposal`, with `chosen`, `patch(profile)`, what accepting it changes, and `focus()`. */
export function createProposal(proposal, profile, { chosen, accept, reject }) {
  const isFact = proposal.kind === "field";
  const name = isFact ? readable(proposal.key) : "Preference";
  let { value, opposite } = proposal;
  const box = h("input", { type: "checkbox", onchange: chosen, "aria-label": `Choose ${name}: ${short(value)}` });
  const level = isFact ? select(LEVELS.map((one) => [one.level, one.short]), proposal.level, {
    "aria-label": `What replies may say of ${name}`,
  }) : null;
  const said = h("div", { class: "proposed" });
  const take = button("Accept", () => accept(row), "button small", `${name}: ${short(value)}`);
  const element = h("li", { class: "proposal" },
    h("div", { class: "row head" }, h("label", { class: "check" }, box), h("h3", { class: "grow" }, name), level),
    said,
    h("blockquote", { class: "passage", dir: "auto" }, markedPart(proposal.passage, proposal.start, proposal.end)),
    h("div", { class: "row" },
      h("span", { class: "quiet surely" }, `${surely(proposal.confidence)}; in ${counted(proposal.passages, "passage")}`),
      h("div", { class: "buttons" },
        button("Reject", () => reject(row), "button bare small", `${name}: ${short(value)}`),
        button("Edit", () => edit(), "button small", `${name}: ${short(value)}`),
        take)));

  function read() {
    fill(said, h("p", { class: "value", dir: "auto" }, value),
      opposite && h("p", { class: "quiet", dir: "auto" }, `rather than: ${opposite}`));
  }

  function edit() {
    const text = h("textarea", { rows: 2, value, dir: "auto" });
    const other = h("input", { value: opposite ?? "", dir: "auto" });
    const done = (event) => {
      event.preventDefault();
      value = text.value.trim() || value;
      opposite = isFact ? opposite : other.value.trim();
      read();
      take.focus();
    };
    const leave = () => { read(); take.focus(); };
    fill(said, h("form", { class: "stack tight", onsubmit: done, onkeydown: ({ key }) => key === "Escape" && leave() },
      field(isFact ? "What is so" : "How replies should be", text),
      !isFact && field("Rather than", other, { hint: "May stay empty." }),
      h("div", { class: "buttons" }, h("button", { class: "button small" }, "Use this"), button("Cancel", leave, "button bare small"))));
    text.focus();
  }

  const row = {
    element,
    name: `${name}: ${short(proposal.value)}`,
    get chosen() { return box.checked; },
    set chosen(one) { box.checked = one; },
    patch: (newer) => (isFact
      ? factPatch(newer, proposal.key, value, level.value === proposal.level ? null : level.value)
      : preferencePatch(newer, value, opposite)),
    focus: () => take.focus(),
  };
  read();
  return row;
}

function button(label, act, kind, of = "") {
  return h("button", { class: kind, type: "button", onclick: act, "aria-label": of ? `${label} ${of}` : null }, label);
}

/** Several values of one fact stand beside each other, as the command line joins them. */
function factPatch({ fields, disclosure }, key, value, level) {
  const before = fields[key];
  const text = before && before !== value ? `${before}; ${value}` : value;
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

function surely(confidence) {
  const [, words] = SURE.find(([least]) => confidence >= least);
  return words[0].toUpperCase() + words.slice(1);
}
