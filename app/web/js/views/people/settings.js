/** A profile's name, strength, recording, and whether it is the default. */

import { h } from "../../dom.js";
import { check, field, select, setMistake } from "../../parts/field.js";
import { keptField } from "./kept_field.js";
import { NAME_LENGTH } from "./profile_store.js";
import { saved } from "./words.js";

const STRONGEST = 4;
const USUAL = 1;

const NAME = "As you sign. Unless you decide otherwise, the remote reads a placeholder for it.";
const RECORDED = "Each finished exchange becomes part of the history, which later replies draw on.";
const DEFAULT = "For requests that name none. It takes the mark from the one before.";
const KINDS = [
  ["server", "As the server has it"],
  ["auto", "Automatic: as much as a text bears"],
  ["number", "A number"],
];

/** The settings of the profile in `store`; `manage`: whether the caller may say which is the default. */
export function settingsEditor(store, manage) {
  const parts = [
    nameField(store),
    strengthField(store),
    flag(store, "record_history", "Record replies", RECORDED),
    ...(manage ? [flag(store, "default", "The default profile", DEFAULT)] : []),
  ];
  store.onChange((profile) => parts.forEach(({ draw }) => draw(profile)));
  return h("div", { class: "stack" }, parts.map(({ element }) => element));
}

function nameField(store) {
  const input = h("input", {
    value: store.profile.name, maxlength: NAME_LENGTH, autocomplete: "off", dir: "auto",
  });
  return keptField(field("Name", input, { hint: NAME }), {
    wrong: () => (input.value.trim() ? "" : "A profile needs a name."),
    read: ({ name }) => name,
    save: (value) => store.change(() => ({ name: value.trim() })),
  });
}

function strengthField(store) {
  const kind = select(KINDS, kindOf(store.profile.strength), { onchange: () => turn() });
  const number = h("input", {
    type: "number", min: 0, max: STRONGEST, step: "any", inputmode: "decimal", required: true,
    onchange: () => keep(Number(number.value)),
  });
  const hint = `0 leaves replies to the remote, ${STRONGEST} is the most.`;
  const numberField = field("Strength", number, { hint });
  const element = h("div", { class: "fields" }, field("How strongly replies are steered", kind), numberField);

  function turn() {
    numberField.hidden = kind.value !== "number";
    if (kind.value === "number") {
      number.value = USUAL;
      number.focus();
    }
    return keep({ server: null, auto: "auto", number: USUAL }[kind.value]);
  }

  async function keep(strength) {
    const wrong = kind.value === "number" && !number.validity.valid;
    setMistake(numberField, wrong ? `A number from 0 to ${STRONGEST}.` : "");
    if (!wrong && !await saved(() => store.change(() => ({ strength })))) draw(store.profile);
  }

  function draw({ strength }) {
    kind.value = kindOf(strength);
    numberField.hidden = kind.value !== "number";
    if (kind.value === "number" && document.activeElement !== number) number.value = strength;
  }

  draw(store.profile);
  return { element, draw };
}

function kindOf(strength) {
  if (strength === null) return "server";
  return strength === "auto" ? "auto" : "number";
}

function flag(store, name, label, hint) {
  const id = `setting-${name}`;
  const box = { checked: store.profile[name], "aria-describedby": id, onchange: () => keep() };
  const element = h("div", {}, check(label, box), h("p", { class: "quiet", id }, hint));
  const input = element.querySelector("input");

  async function keep() {
    const wanted = input.checked; // as it is now, and not when its turn to be saved has come
    const kept = await saved(() => store.change(() => ({ [name]: wanted })));
    if (!kept) input.checked = store.profile[name];
  }

  return { element, draw: (profile) => { input.checked = profile[name]; } };
}
