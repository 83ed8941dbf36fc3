/** One text of a history: its row in the list, and the text in a dialog, to read, change and delete. */

import { patch, quoted, remove } from "../../api.js";
import { fill, h } from "../../dom.js";
import { confirmed, mayGiveUp, openDialog } from "../../parts/dialog.js";
import { field, select } from "../../parts/field.js";
import { excerpt, markedWords } from "../../parts/marked.js";
import { answered, once, onSubmit } from "../../parts/once.js";
import { say, warn } from "../../parts/status.js";
import { inWords } from "../../parts/trouble.js";
import { CHOICES, LEVELS } from "./levels.js";
import { isolated, short } from "./words.js";

const BEGINNING = 220;
const MOST_TEXT = 1_000_000;
const MOST_TITLE = 1000;
const MOST_REQUEST = { document: 10_000, turn: 100_000 };

/** What a text is called: its title, else what it answers, else its beginning. */
export function headline({ title, request, text }) {
  return short((title || request || text).trim().split("\n", 1)[0], 120) || "Without a title";
}

/** The row of an item; `query` marks its words in the passage that was found. `open(item)` is its act. */
export function itemRow(item, open, query = "") {
  const marked = (text) => (query ? markedWords(text, query) : text);
  const beginning = query
    ? excerpt(item.passage, query, BEGINNING)
    : short(item.text.slice(0, 2 * BEGINNING).replace(/\s+/g, " ").trim(), BEGINNING);
  const press = { class: "text-row", type: "button", data: { item: item.id }, onclick: () => open(item) };
  return h("li", {}, h("button", press,
    h("strong", { class: "text-title", dir: "auto" }, marked(headline(item))),
    h("span", { class: "text-beginning", dir: "auto" }, marked(beginning)),
    h("span", { class: "text-facts" }, factsOf(item))));
}

/** Where, when and how: what stands below a text's title. */
function factsOf({ kind, source, created_at: created, disclosure }) {
  const level = LEVELS.find((one) => one.level === disclosure);
  const day = new Date(created).toLocaleDateString(undefined, { dateStyle: "medium" });
  return [
    h("time", { datetime: created }, day),
    kind === "turn" && h("span", {}, "A reply"),
    source && h("bdi", {}, short(source, 80)),
    disclosure !== "open" && h("span", { class: "tag warn" }, level.label),
  ];
}

/** Shows an item of the history at `path`; resolves to it as it is then, or to null if it was deleted. */
export async function openItem(path, item) {
  const own = `${path}/${quoted(item.id)}`;
  let current = item;
  let form = null; // while it is edited
  await openDialog(headline(item), (close) => {
    const place = h("div", { class: "stack" });
    const acts = { edit: () => edit(), erase: () => erase(), close: () => close() };

    function read() {
      form = null;
      fill(place, reading(current, acts));
      place.querySelector("button").focus();
    }

    async function save(changes) {
      if (Object.keys(changes).length) current = await patch(own, changes);
      say("Saved.");
      read();
    }

    function edit() {
      form = itemForm(current, { act: "Save", cancel: read, save });
      fill(place, form.element);
      const text = place.querySelector("textarea");
      text.focus();
      text.setSelectionRange(0, 0);
      text.scrollTop = 0;
    }

    async function erase() {
      if (!await erased(own, current)) return;
      current = null;
      close();
    }

    return fill(place, reading(current, acts));
  }, { wide: true, mayLeave: async () => !form || form.mayLeave() });
  return current;
}

/** Erases an item, if the person says so; resolves to whether it is gone. */
async function erased(path, item) {
  const words = `“${isolated(headline(item))}” is erased from this device, and from the small model's memory. `
    + "It cannot be undone.";
  if (!await confirmed("Delete this text?", words, "Delete")) return false;
  try {
    await remove(path);
    say("Deleted.");
    return true;
  } catch (error) {
    if (error.code === "history_item_not_found") { // another window was faster
      say("It was deleted already.");
      return true;
    }
    warn(`Not deleted. ${inWords(error)}`);
    return false;
  }
}

function reading(item, { edit, erase, close }) {
  const button = (label, kind, act) => h("button", { class: kind, type: "button", onclick: act }, label);
  const text = { class: "prose whole-text", dir: "auto", tabindex: 0, role: "region", "aria-label": "Text" };
  return [
    h("p", { class: "text-facts" }, factsOf(item)),
    item.request && item.title && h("p", { class: "quiet", dir: "auto" }, `Answers: ${item.request}`),
    h("div", text, item.text),
    h("div", { class: "buttons" },
      button("Edit", "button", edit),
      button("Delete", "button danger", erase),
      button("Close", "button main", close)),
  ];
}

/**
 * A form for a text. `save(changes)` stores what was changed, and may throw; `cancel()` leaves it. Gives the
 * element, and `mayLeave()`, which resolves to whether it may be left: it waits for a saving that goes on, and
 * asks where something was written that is not saved.
 */
export function itemForm(item, { act, save, cancel }) {
  const inputs = inputsOf(item);
  const value = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]));
  let before = value();
  const changed = ([name, one]) => one !== before[name];
  const changes = () => Object.fromEntries(Object.entries(value()).filter(changed));
  const mistake = h("p", { class: "mistake", role: "alert" });
  const mayLeave = async () => {
    await answered(element);
    return mayGiveUp(Object.keys(changes()).length > 0);
  };
  const leave = once(async () => await mayLeave() && cancel());

  async function store() {
    await save(changes());
    before = value();
  }

  async function submit() {
    mistake.textContent = inputs.text.value.trim() ? "" : "There is no text yet.";
    try {
      if (mistake.textContent) inputs.text.focus();
      else await store();
    } catch (error) {
      mistake.textContent = `Not saved. ${inWords(error)}`;
      inputs.text.focus();
    }
  }

  const element = h("form", { class: "stack", novalidate: true, onsubmit: onSubmit(submit) },
    field("Text", inputs.text),
    h("div", { class: "fields" },
      field("Title", inputs.title, { hint: "May stay empty." }),
      field("What it answers", inputs.request, { hint: "As if somebody had asked for it; may stay empty." }),
      field("What replies may say of it", inputs.disclosure)),
    mistake,
    h("div", { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: leave }, "Cancel"),
      h("button", { class: "button main" }, act)));
  return { element, mayLeave };
}

function inputsOf({ title, request, text, kind = "document", disclosure }) {
  const texts = (value, maxlength, more) => h("textarea", { value, maxlength, dir: "auto", ...more });
  return {
    text: texts(text, MOST_TEXT, { rows: 12, required: true, class: "long" }),
    title: h("input", { value: title, maxlength: MOST_TITLE, autocomplete: "off", dir: "auto" }),
    request: texts(request, MOST_REQUEST[kind], { rows: 2, class: "low" }),
    disclosure: select(CHOICES, disclosure),
  };
}
