/** One text of a history: its row in the list, and the text itself in a dialog, to read, change and delete. */

import { patch, quoted, remove } from "../../api.js";
import { fill, h } from "../../dom.js";
import { confirmed, openDialog } from "../../parts/dialog.js";
import { field, select } from "../../parts/field.js";
import { excerpt, markedWords } from "../../parts/marked.js";
import { say, warn } from "../../parts/status.js";
import { inWords } from "../../parts/trouble.js";
import { LEVELS } from "./levels.js";
import { short } from "./words.js";

const BEGINNING = 220;
export const MOST_TEXT = 1_000_000;
export const MOST_TITLE = 1000;
export const MOST_REQUEST = 10_000;

/** What a text is called: its title, else what it answers, else its beginning. */
export function headline({ title, request, text }) {
  return short((title || request || text).trim().split("\n", 1)[0], 120) || "Without a title";
}

/** The row of an item; `query` marks its words in the passage that a search found. `open(item)` is its act. */
export function itemRow(item, open, query = "") {
  const beginning = query ? excerpt(item.passage, query, BEGINNING) : short(item.text.replace(/\s+/g, " ").trim(), BEGINNING);
  return h("li", {}, h("button", { class: "text-row", type: "button", data: { item: item.id }, onclick: () => open(item) },
    h("strong", { class: "text-title", dir: "auto" }, query ? markedWords(headline(item), query) : headline(item)),
    h("span", { class: "text-beginning", dir: "auto" }, query ? markedWords(beginning, query) : beginning),
    h("span", { class: "text-facts" }, factsOf(item))));
}

/** Where, when and how: what stands below a text's title. */
function factsOf({ kind, source, created_at: created, disclosure }) {
  const level = LEVELS.find((one) => one.level === disclosure);
  return [
    h("time", { datetime: created }, new Date(created).toLocaleDateString(undefined, { dateStyle: "medium" })),
    kind === "turn" && h("span", {}, "A reply"),
    source && h("bdi", {}, short(source, 80)),
    disclosure !== "open" && h("span", { class: "tag warn" }, level.short),
  ];
}

/** Shows the item; resolves to the item as it is then, or to null if it was deleted. */
export async function openItem(profile, item) {
  const path = `/v1/profiles/${quoted(profile.id)}/history/${quoted(item.id)}`;
  let current = item;
  await openDialog(headline(item), (close) => {
    const place = h("div", { class: "stack" });
    const read = () => {
      fill(place, reading(current, { edit: () => edit(), erase: () => erase(), close }));
      place.querySelector("button").focus();
    };
    const edit = () => fill(place, itemForm(current, {
      act: "Save",
      cancel: read,
      async save(value) {
        const changes = Object.fromEntries(Object.entries(value).filter(([name, one]) => one !== current[name]));
        if (Object.keys(changes).length) current = await patch(path, changes);
        say("Saved.");
        read();
      },
    }));
    const erase = async () => {
      const words = `“${headline(current)}” is erased from this device, and from the small model's memory. It cannot be undone.`;
      if (!await confirmed("Delete this text?", words, "Delete")) return;
      try {
        await remove(path);
        current = null;
        say("Deleted.");
        close();
      } catch (error) {
        warn(`Not deleted. ${inWords(error)}`);
      }
    };
    fill(place, reading(current, { edit, erase, close }));
    return place;
  }, { wide: true });
  return current;
}

function reading(item, { edit, erase, close }) {
  return [
    h("p", { class: "text-facts" }, factsOf(item)),
    item.request && item.title && h("p", { class: "quiet", dir: "auto" }, `Answers: ${item.request}`),
    h("div", { class: "prose whole-text", tabindex: "0", dir: "auto", role: "region", "aria-label": "The text" }, item.text),
    h("div", { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: edit }, "Edit"),
      h("button", { class: "button danger", type: "button", onclick: erase }, "Delete"),
      h("button", { class: "button main", type: "button", onclick: () => close() }, "Close")),
  ];
}

/**
 * A form for a text. `save(value)` stores it, and may throw; `cancel()` leaves it. A turn of a conversation has no
 * bound of its own for the request here; the server says so where it is too long.
 */
export function itemForm(item, { act, save, cancel }) {
  const title = h("input", { value: item.title, maxlength: MOST_TITLE, autocomplete: "off", dir: "auto" });
  const request = h("input", { value: item.request, maxlength: MOST_REQUEST, autocomplete: "off", dir: "auto" });
  const text = h("textarea", { rows: 12, value: item.text, maxlength: MOST_TEXT, required: true, dir: "auto", class: "long" });
  const level = select(LEVELS.map((one) => [one.level, one.short]), item.disclosure);
  const mistake = h("p", { class: "mistake", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    mistake.textContent = "";
    if (!text.value.trim()) {
      mistake.textContent = "There is no text yet.";
      text.focus();
      return;
    }
    try {
      await save({ title: title.value, request: request.value, text: text.value, disclosure: level.value });
    } catch (error) {
      mistake.textContent = `Not saved. ${inWords(error)}`;
      text.focus();
    }
  };
  return h("form", { class: "stack", novalidate: true, onsubmit: submit },
    field("Text", text),
    h("div", { class: "fields" },
      field("Title", title, { hint: "May stay empty." }),
      field("What it answers", request, { hint: "As if somebody had asked you for it; may stay empty." }),
      field("What replies may say of it", level)),
    mistake,
    h("div", { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: cancel }, "Cancel"),
      h("button", { class: "button main" }, act)));
}
