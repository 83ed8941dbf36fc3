/** Levels of disclosure: how they are said, and what replies may tell of all facts, of identifiers, and in all. */

import { h } from "../../dom.js";
import { field, select, setMistake } from "../../parts/field.js";
import { saved } from "./words.js";

/** The four levels, the least strict first. */
export const LEVELS = [
  { level: "open", short: "May be said", words: "Replies may say it, and so the remote may read it." },
  { level: "shape", short: "Shapes only", words: "It changes how replies are written, but is never said by its help." },
  { level: "fill", short: "Filled in here", words: "The remote reads a placeholder; the value is written in on this device." },
  { level: "off", short: "Not read", words: "Neither model reads it." },
];
const KINDS = [
  ["name", "Names"],
  ["email", "E-mail addresses"],
  ["phone", "Telephone numbers"],
  ["address", "Postal addresses"],
  ["number", "Account numbers"],
  ["url", "Web addresses"],
];
const USUAL = "As usual: names are filled in; the others shape only, and are filled in where a fact is nothing else.";

/** The stricter of two levels. */
export function strictest(one, other) {
  const place = (level) => LEVELS.findIndex((item) => item.level === level);
  return place(one) >= place(other) ? one : other;
}

/** A change of one level: `group` is "fields" or "identifiers"; an empty or open level of a field leaves it out. */
export function levelChange(group, name, level) {
  return ({ disclosure }) => {
    const levels = { ...disclosure[group], [name]: level };
    if (!level || (group === "fields" && level === "open")) delete levels[name];
    return { disclosure: { ...disclosure, [group]: levels } };
  };
}

/** What the levels mean, to unfold. */
export function levelsExplained() {
  return h("details", {},
    h("summary", {}, "What the levels mean"),
    h("dl", { class: "meanings" }, LEVELS.map(({ level, short, words }) => h("div", {},
      h("dt", {}, short, " ", h("span", { class: "tag" }, level)), h("dd", {}, words)))));
}

/** The rules for the whole profile in `store`. */
export function disclosureEditor(store) {
  const { disclosure } = store.profile;
  const least = select(LEVELS.map(({ level, short }) => [level, short]), disclosure.least, {
    onchange: () => keep(least, (profile) => ({ disclosure: { ...profile.disclosure, least: least.value } })),
  });
  const kinds = KINDS.map(([kind, label]) => {
    const options = [["", "As usual"], ...LEVELS.map(({ level, short }) => [level, short])];
    const input = select(options, disclosure.identifiers[kind] ?? "", {
      onchange: () => keep(input, levelChange("identifiers", kind, input.value)),
    });
    return { kind, label, input };
  });
  const budget = budgetField(store);

  function keep(input, change) {
    return saved(() => store.change(change)).then((kept) => kept || draw(store.profile));
  }

  function draw(profile) {
    least.value = profile.disclosure.least;
    for (const { kind, input } of kinds) input.value = profile.disclosure.identifiers[kind] ?? "";
    budget.draw(profile.disclosure.budget);
  }

  store.onChange(draw);
  return h("div", { class: "stack" },
    h("div", { class: "fields" },
      field("For all there is, at least", least, { hint: "Nothing is less strict than this, texts of the history neither." }),
      budget.element),
    h("fieldset", { class: "stack tight" },
      h("legend", {}, "What identifies you, wherever it stands"),
      h("p", { class: "quiet" }, USUAL),
      h("div", { class: "fields" }, kinds.map(({ label, input }) => field(label, input)))));
}

function budgetField(store) {
  const input = h("input", {
    type: "number", min: 0, step: "any", inputmode: "decimal", placeholder: "no bound", onchange: () => keep(),
  });
  const element = field("Budget of a conversation, in nats", input, {
    hint: "How much replies may tell of who you are before the rest is left to the remote. 2.3 nats tell ten people "
      + "apart, 4.6 a hundred.",
  });
  const draw = (budget) => {
    if (document.activeElement !== input || !input.matches(":invalid")) input.value = budget ?? "";
  };

  async function keep() {
    const wrong = !input.validity.valid || Number(input.value) < 0;
    setMistake(element, wrong ? "A number, 0 or more, or nothing for no bound." : "");
    if (wrong) return;
    const budget = input.value === "" ? null : Number(input.value);
    await saved(() => store.change(({ disclosure }) => ({ disclosure: { ...disclosure, budget } })));
  }

  draw(store.profile.disclosure.budget);
  return { element, draw };
}
