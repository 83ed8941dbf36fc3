/** The facts of a profile: key and value, each with its level, in the person's order. */

import { h, uniqueId } from "../../dom.js";
import { field, select } from "../../parts/field.js";
import { CHOICES, levelChange, strictest } from "./levels.js";
import { createOrdered } from "./ordered.js";
import { Mistake } from "./profile_store.js";
import { ownOf, readable, saved, short } from "./words.js";

const MOST = 100;
const KEY_LENGTH = 100;
const LENGTH = 10000;
// What the small model makes good use of; any other will do.
const SUGGESTED = [
  "occupation", "location", "writing_style", "interests", "languages", "family", "signs_off", "habits",
  "dislikes",
];
const NO_NUMBER = "A name needs a letter; a number alone has no place in an order.";

/** The list of facts of the profile in `store`. */
export function factsEditor(store) {
  return createOrdered(store, {
    noun: "fact",
    most: MOST,
    twice: "There is a fact of that name already. Choose another name, or edit that one.",
    idOf: ({ key }) => key,
    name: ({ key }) => readable(key),
    read: factsOf,
    show: (item) => shown(item, store),
    form: factForm,
    patch: factsPatch,
  });
}

function factsOf({ fields, disclosure }) {
  const levelOf = (key) => ownOf(disclosure.fields, key) ?? "open";
  return Object.entries(fields).map(([key, text]) => ({ id: key, key, text, level: levelOf(key) }));
}

function shown(first, store) {
  let item = first;
  const label = h("h3", { dir: "auto" });
  const text = h("p", { dir: "auto" });
  const note = h("span", { class: "quiet" });
  const levels = select(CHOICES, item.level, { onchange: () => keep() });

  async function keep() {
    const kept = await saved(() => store.change(levelChange("fields", item.key, levels.value)));
    if (!kept) levels.value = item.level;
  }

  function update(newer) {
    item = newer;
    label.textContent = readable(item.key);
    text.textContent = item.text;
    levels.value = item.level;
    levels.setAttribute("aria-label", `What replies may say of ${short(readable(item.key))}`);
    const { least } = store.profile.disclosure;
    note.textContent = strictest(least, item.level) === item.level ? "" : `“${least}” by the rule for all`;
  }

  update(first);
  const words = h("div", { class: "words" }, label, text);
  return { element: h("div", { class: "fact" }, words, h("div", { class: "level" }, levels, note)), update };
}

function factForm(item) {
  const suggestions = uniqueId("facts");
  const key = h("input", {
    value: item?.key ?? "", maxlength: KEY_LENGTH, list: suggestions, autocomplete: "off", dir: "auto",
    required: true,
  });
  const text = h("textarea", {
    value: item?.text ?? "", maxlength: LENGTH, rows: 2, dir: "auto", required: true,
  });
  return {
    element: [
      field("Name", key, { hint: "Like occupation, or writing_style." }),
      h("datalist", { id: suggestions }, SUGGESTED.map((one) => h("option", { value: one }))),
      field("What it says", text),
    ],
    at: (name) => ({ key, text })[name],
    value() {
      const named = key.value.trim();
      if (!named) throw new Mistake("A fact needs a name.", "key");
      // Objects of JSON that a browser has read have such names first, whatever their order was.
      if (/^\d+$/.test(named)) throw new Mistake(NO_NUMBER, "key");
      if (!text.value.trim()) throw new Mistake("A fact needs a text.", "text");
      return { key: named, text: text.value.trim() };
    },
  };
}

/** What makes the facts `before` those of `after`: no more than differs, or all where their order does. */
function factsPatch(before, after, { disclosure }) {
  const removed = before.filter((one) => !after.some(({ key }) => key === one.key));
  const left = before.filter((one) => !removed.includes(one));
  const fresh = after.filter((one) => !before.some(({ key }) => key === one.key));
  const inOrder = [...left, ...fresh].every(({ key }, place) => key === after[place].key);
  const same = ({ key, text }) => left.some((one) => one.key === key && one.text === text);
  const sent = inOrder ? after.filter((one) => !same(one)) : after;
  const fields = Object.fromEntries([
    ...removed.map(({ key }) => [key, null]),
    ...sent.map(({ key, text }) => [key, text]),
  ]);
  if (!fresh.some(({ level }) => level && level !== "open")) return { fields };
  // A renamed fact, and one that comes back, has its level again.
  const levels = after.filter(({ level }) => level && level !== "open").map(({ key, level }) => [key, level]);
  return { fields, disclosure: { ...disclosure, fields: Object.fromEntries(levels) } };
}
