/** A list whose items are added, edited, moved and deleted, each act saved at once: facts, preferences. */

import { fill, h } from "../../dom.js";
import { arrange, items as placed, reorderable } from "../../parts/reorder.js";
import { say } from "../../parts/status.js";
import { itemForm } from "./ordered_form.js";
import { orderedRow } from "./ordered_row.js";
import { Mistake } from "./profile_store.js";
import { isolated, saved, short } from "./words.js";

const NOT_HERE = "It was deleted in another window. Cancel, and add it again if you want it.";

/**
 * The list of the profile in `store`. `kind` says what the items are:
 * - `noun`, and `most`, how many there may be;
 * - `read(profile)`, the items, each with an `id`; `idOf(value)`, the id of what a form gives; `name(item)`;
 * - `show(item)`, the reading part: `{ element, update(item) }`;
 * - `form(item)`: `{ element, value(), at(name) }`; `value` gives the item without id or throws a Mistake;
 * - `patch(before, after, profile)`, what makes the one list the other;
 * - `twice`, what is said where one of that id is there already.
 */
export function createOrdered(store, kind) {
  const title = `${kind.noun[0].toUpperCase()}${kind.noun.slice(1)}s`;
  const list = h("ol", { class: "plain ordered", "aria-label": title });
  const adding = h("div", {});
  const most = `There are ${kind.most} ${kind.noun}s, which is the most. Delete one to add another.`;
  const full = h("p", { class: "quiet" }, most);
  // `rows` by the item's id; `gone`, what was deleted last, as { item, place, element }.
  const editor = { store, kind, list, adding, full, rows: new Map(), gone: null };
  reorderable(list, (id, to) => move(editor, id, to));
  store.onChange(() => draw(editor));
  draw(editor);
  offerNew(editor);
  return h("div", { class: "stack tight" }, list, adding, full);
}

function draw(editor) {
  const { store, kind, list, adding, full, rows } = editor;
  const found = kind.read(store.profile);
  for (const item of found) {
    if (rows.has(item.id)) rows.get(item.id).update(item);
    else rows.set(item.id, orderedRow(item, kind, actsOn(editor)));
  }
  for (const id of [...rows.keys()]) if (!found.some((item) => item.id === id)) rows.delete(id);
  const elements = found.map(({ id }) => rows.get(id).element);
  const { gone } = editor;
  if (gone && rows.has(gone.item.id)) editor.gone = null;
  else if (gone) elements.splice(Math.min(gone.place, elements.length), 0, gone.element);
  arrange(list, elements);
  found.forEach((item, place) => rows.get(item.id).setPlace(place, found.length));
  full.hidden = found.length < kind.most;
  adding.hidden = !full.hidden;
}

function actsOn(editor) {
  return {
    move: (item, to) => move(editor, item.id, to),
    edit: (item, value) => edit(editor, item.id, value),
    remove: (item) => remove(editor, item.id),
  };
}

/** Saves what `edited` makes of the items as they are stored now. */
function change({ store, kind }, edited) {
  return store.change((profile) => {
    const before = kind.read(profile);
    return kind.patch(before, edited(before), profile);
  });
}

async function move(editor, id, to) {
  const { store, kind, list } = editor;
  const name = short(kind.name(kind.read(store.profile).find((item) => item.id === id)));
  const before = placed(list);
  const words = `${isolated(name)}: now ${to + 1} of ${before.length}. Saved.`;
  editor.gone = null;
  // At once, so that a second press goes on from here; what is saved is drawn behind it.
  arrange(list, movedTo(before, id, to, (element) => element.dataset.id));
  if (!await saved(() => change(editor, (all) => movedTo(all, id, to)), words)) draw(editor);
}

/** Saves an edited item; gives its row, which is a new one if its id has changed. */
async function edit(editor, id, value) {
  const { kind, rows } = editor;
  const renamed = kind.idOf(value);
  await change(editor, (all) => {
    if (!all.some((item) => item.id === id)) throw new Mistake(NOT_HERE);
    if (renamed !== id && all.some((item) => item.id === renamed)) throw new Mistake(kind.twice);
    return all.map((item) => (item.id === id ? { ...item, ...value, id: renamed } : item));
  });
  say("Saved.");
  return rows.get(renamed);
}

async function remove(editor, id) {
  const without = (all) => {
    const place = all.findIndex((item) => item.id === id);
    if (place < 0) return all; // another window was faster
    editor.gone = { item: all[place], place, element: ghost(editor, all[place], place) };
    return all.filter((_, at) => at !== place);
  };
  if (await saved(() => change(editor, without), "Deleted.")) {
    editor.gone?.element.querySelector("button").focus();
  } else {
    editor.gone = null;
    draw(editor);
  }
}

/** What stands in the place of a deleted item, and brings it back. */
function ghost(editor, item, place) {
  const { kind, rows } = editor;
  const back = (all) => {
    if (all.some(({ id }) => id === item.id)) throw new Mistake(kind.twice);
    return [...all.slice(0, place), item, ...all.slice(place)];
  };
  const undo = async () => {
    if (await saved(() => change(editor, back), "It is back.")) rows.get(item.id)?.focus();
  };
  return h(
    "li",
    { class: "ghost" },
    h("span", {}, "Deleted: ", h("bdi", {}, short(kind.name(item)))),
    h("button", { class: "button small", type: "button", onclick: undo }, "Undo"),
  );
}

function movedTo(all, id, to, idOf = (one) => one.id) {
  const item = all.find((one) => idOf(one) === id);
  if (!item) throw new Mistake(NOT_HERE);
  const rest = all.filter((one) => one !== item);
  return [...rest.slice(0, to), item, ...rest.slice(to)];
}

/** The button that opens the form for a new item; the form stays for the next one. */
function offerNew(editor) {
  const { kind, adding } = editor;
  const properties = { class: "button", type: "button", onclick: () => open() };
  const button = h("button", properties, `Add a ${kind.noun}`);

  function open() {
    const form = itemForm(kind, null, "Add", add, (added) => {
      if (added) return open();
      fill(adding, button);
      return button.focus();
    });
    fill(adding, form.element);
    form.focus();
  }

  async function add(value) {
    const id = kind.idOf(value);
    editor.gone = null;
    await change(editor, (all) => {
      if (all.some((item) => item.id === id)) throw new Mistake(kind.twice);
      return [...all, { ...value, id }];
    });
    say(`Added: ${isolated(short(kind.name({ ...value, id })))}.`);
    return true;
  }

  fill(adding, button);
}
