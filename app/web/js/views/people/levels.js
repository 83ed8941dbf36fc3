/** Levels of disclosure: how they are said, and what replies may tell of identifiers, and in all. */

import { h } from "../../dom.js";
import { field, select } from "../../parts/field.js";
import { keptField } from "./kept_field.js";
import { saved } from "./words.js";

/** The four levels, the least strict first. */
export const LEVELS = [
  { level: "open", label: "May be said", words: "Replies may say it, and so the remote may read it." },
  {
    level: "shape",
    label: "Shapes only",
    words: "It changes how replies are written, but is never said by its help.",
  },
  {
    level: "fill",
    label: "Filled in here",
    words: "The remote reads a placeholder; the value is written in on this device.",
  },
  { level: "off", label: "Not read", words: "Neither model reads it." },
];
/** Their names for a select. */
export const CHOICES = LEVELS.map(({ level, label }) => [level, label]);
const KINDS = [
  ["name", "Names"],
  ["email", "E-mail addresses"],
  ["phone", "Telephone numbers"],
  ["address", "Postal addresses"],
  ["number", "Account numbers"],
  ["url", "Web addresses"],
];
const USUAL = "As usual: names are filled in; the others shape only, and are filled in where a fact is "
  + "nothing else.";
const LEAST = "Nothing is less strict than this, texts of the history neither.";
const NATS = "How much replies may tell of who you are before the rest is left to the remote. 2.3 nats tell "
  + "ten people apart, 4.6 a hundred.";
const NO_NATS = "A number, 0 or more, or nothing for no bound.";

/** The stricter of two levels. */
export function strictest(one, other) {
  const place = (level) => LEVELS.findIndex((item) => item.level === level);
  return place(one) >= place(other) ? one : other;
}

/** A change of one level: `group` is "fields" or "identifiers"; what has the default is left out. */
export function levelChange(group, name, level) {
  return ({ disclosure }) => {
    const levels = { ...disclosure[group], [name]: level };
    if (!level || (group === "fields" && level === "open")) delete levels[name];
    return { disclosure: { ...disclosure, [group]: levels } };
  };
}

/** What the levels mean, to unfold. */
export function levelsExplained() {
  const meanings = LEVELS.map(({ level, label, words }) => h(
    "div",
    {},
    h("dt", {}, label, " ", h("span", { class: "tag" }, level)),
    h("dd", {}, words),
  ));
  return h("details", {}, h("summary", {}, "What the levels mean"), h("dl", { class: "meanings" }, meanings));
}

/** The rules for the whole profile in `store`. */
export function disclosureEditor(store) {
  const { disclosure } = store.profile;
  const least = select(CHOICES, disclosure.least, { onchange: () => keep(leastChange(least.value)) });
  const leastField = field("For all there is, at least", least, { hint: LEAST });
  const budget = budgetField(store);
  const kinds = KINDS.map(([kind, label]) => {
    const input = select([["", "As usual"], ...CHOICES], disclosure.identifiers[kind] ?? "", {
      onchange: () => keep(levelChange("identifiers", kind, input.value)),
    });
    return { kind, input, element: field(label, input) };
  });

  async function keep(change) {
    if (!await saved(() => store.change(change))) draw(store.profile);
  }

  function draw(profile) {
    const now = profile.disclosure;
    least.value = now.least;
    for (const { kind, input } of kinds) input.value = now.identifiers[kind] ?? "";
    budget.draw(profile);
  }

  store.onChange(draw);
  return h(
    "div",
    { class: "stack" },
    h("div", { class: "fields" }, leastField, budget.element),
    h(
      "fieldset",
      { class: "stack tight" },
      h("legend", {}, "What identifies you, wherever it stands"),
      h("p", { class: "quiet" }, USUAL),
      h("div", { class: "fields" }, kinds.map(({ element }) => element)),
    ),
  );
}

function leastChange(least) {
  return ({ disclosure }) => ({ disclosure: { ...disclosure, least } });
}

function budgetField(store) {
  const input = h("input", {
    type: "number", min: 0, step: "any", inputmode: "decimal", placeholder: "no bound",
    value: store.profile.disclosure.budget ?? "",
  });
  const budgetIn = (value) => (value === "" ? null : Number(value));
  return keptField(field("Budget of a conversation, in nats", input, { hint: NATS }), {
    wrong: () => (input.validity.valid ? "" : NO_NATS),
    read: ({ disclosure }) => disclosure.budget ?? "",
    save: (value) => store.change(({ disclosure }) => ({
      disclosure: { ...disclosure, budget: budgetIn(value) },
    })),
  });
}
