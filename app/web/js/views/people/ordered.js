/** A list whose items are added, edited, moved and deleted, each act saved at once: facts, preferences. */

import { fill, h } from "../../dom.js";
import { arrange, items as placed, reorderable } from "../../parts/reorder.js";
import { say } from "../../parts/status.js";
import { reason, saved, short } from "./words.js";
import { Mistake } from "./profile_store.js";

/**
 * `kind` says what the items are:
 * `noun`; `read(profile)`, the items, each with an `id` of its own; `show(item)`, the reading part, as
 * `{ element, update(item) }`; `name(item)`, for labels; `form(item)`, as `{ element, value() }`, where `value`
 * gives the item without id or throws a Mistake; `patch(before, after, profile)`, what makes the one list of items
 * the other; `most`, how many there may be.
 */
export function createOrdered(store, kind) {
  const rows = new Map(); // by the item's id
  const list = h("ol", { class: "plain ordered", "aria-label": `${kind.noun[0].toUpperCase()}${kind.noun.slice(1)}s` });
  const adding = h("div", {});
  let gone = null; // what was deleted last: { item, place, element }

  const change = (edit) => store.change((profile) => {
    const before = kind.read(profile);
    return kind.patch(before, edit(before), profile);
  });

  function draw(profile) {
    const found = kind.read(profile);
    for (const item of found) {
      if (rows.has(item.id)) rows.get(item.id).update(item);
      else rows.set(item.id, rowOf(item, acts));
    }
    for (const id of [...rows.keys()]) if (!found.some((item) => item.id === id)) rows.delete(id);
    const elements = found.map(({ id }) => rows.get(id).element);
    if (gone && found.some(({ id }) => id === gone.item.id)) gone = null;
    if (gone) elements.splice(Math.min(gone.place, elements.length), 0, gone.element);
    arrange(list, elements);
    found.forEach((item, place) => rows.get(item.id).setPlace(place, found.length));
    adding.hidden = found.length >= kind.most;
  }

  const acts = {
    kind,
    async move(id, to) {
      const name = kind.name(kind.read(store.profile).find((item) => item.id === id));
      gone = null;
      const count = placed(list).length;
      if (!await saved(() => change((all) => movedTo(all, id, to)), `${name}: now ${to + 1} of ${count}. Saved.`)) {
        draw(store.profile);
      }
    },
    async edit(id, value) {
      await change((all) => edited(all, id, value, kind));
      say("Saved.");
      return rows.get(kind.idOf(value))?.element;
    },
    async remove(item) {
      const drop = (all) => {
        const place = all.findIndex(({ id }) => id === item.id);
        if (place < 0) return all; // another window was faster
        gone = { item: all[place], place, element: ghost(all[place], place) };
        return all.filter((_, at) => at !== place);
      };
      if (await saved(() => change(drop), "Deleted.")) {
        gone?.element.querySelector("button").focus();
      } else {
        gone = null;
        draw(store.profile);
      }
    },
  };

  function ghost(item, place) {
    const undo = async () => {
      const back = (all) => {
        if (all.some(({ id }) => id === item.id)) throw new Mistake(kind.twice);
        return [...all.slice(0, place), item, ...all.slice(place)];
      };
      if (await saved(() => change(back), "It is back.")) rows.get(item.id)?.focus();
    };
    return h("li", { class: "ghost" },
      h("span", {}, `Deleted: ${short(kind.name(item))}`),
      h("button", { class: "button small", type: "button", onclick: undo }, "Undo"));
  }

  reorderable(list, acts.move);
  store.onChange(draw);
  draw(store.profile);
  addButton(adding, kind, async (value) => {
    gone = null;
    await change((all) => added(all, value, kind));
    say(`Added: ${short(kind.name({ ...value, id: kind.idOf(value) }))}.`);
  });
  return h("div", { class: "stack tight" }, list, adding);
}

function added(all, value, kind) {
  const id = kind.idOf(value);
  if (all.some((item) => item.id === id)) throw new Mistake(kind.twice);
  return [...all, { ...value, id }];
}

function edited(all, id, value, kind) {
  const renamed = kind.idOf(value);
  if (!all.some((item) => item.id === id)) {
    throw new Mistake("It was deleted in another window. Cancel, and add it again if you want it.");
  }
  if (renamed !== id && all.some((item) => item.id === renamed)) throw new Mistake(kind.twice);
  return all.map((item) => (item.id === id ? { ...item, ...value, id: renamed } : item));
}

function movedTo(all, id, to) {
  const item = all.find((one) => one.id === id);
  if (!item) throw new Mistake("It was deleted in another window.");
  const rest = all.filter((one) => one.id !== id);
  return [...rest.slice(0, to), item, ...rest.slice(to)];
}

/** A row: its reading part with the acts beside it, or its form. */
function rowOf(first, acts) {
  const { kind } = acts;
  let item = first;
  let place = 0;
  const shown = kind.show(item);
  const button = (label, act, properties = {}) => h(
    "button", { class: "button bare small", type: "button", onclick: act, ...properties }, label,
  );
  const up = button("↑", () => step(-1), { class: "button bare icon small" });
  const down = button("↓", () => step(1), { class: "button bare icon small" });
  const edit = button("Edit", () => open());
  const drop = button("Delete", () => acts.remove(item));
  const handle = h("button", { class: "handle", type: "button", data: { handle: "" } }, h("span", { "aria-hidden": "true" }, "⠿"));
  const reading = h("div", { class: "reading" }, handle, shown.element, h("div", { class: "acts" }, up, down, edit, drop));
  const element = h("li", { class: "item", data: { id: item.id } }, reading);

  async function step(by) {
    await acts.move(item.id, place + by);
    const [one, other] = by < 0 ? [up, down] : [down, up];
    (one.disabled ? other : one).focus();
  }

  function open() {
    const form = formOf(kind, item, "Save", (value) => acts.edit(item.id, value), (changed) => {
      fill(element, reading);
      (changed?.querySelector("[data-edit]") ?? edit).focus();
    });
    fill(element, form.element);
    form.focus();
  }

  function setPlace(at, count) {
    place = at;
    up.disabled = at === 0;
    down.disabled = at === count - 1;
    handle.hidden = up.hidden = down.hidden = count < 2;
    const name = short(kind.name(item));
    handle.setAttribute("aria-label", `Move ${name}: ${at + 1} of ${count}. Drag, or press Alt with an arrow key`);
    for (const [one, act] of [[up, "Move up"], [down, "Move down"], [edit, "Edit"], [drop, "Delete"]]) {
      one.setAttribute("aria-label", `${act}: ${name}`);
    }
  }

  edit.dataset.edit = "";
  return {
    element,
    setPlace,
    focus: () => edit.focus(),
    update(newer) {
      item = newer;
      shown.update(newer);
    },
  };
}

/** A form for an item. `store(value)` saves it; `close` is called behind that with what it gave, and by Cancel. */
function formOf(kind, item, act, store, close) {
  const inner = kind.form(item);
  const mistake = h("p", { class: "mistake", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    mistake.textContent = "";
    try {
      close(await store(inner.value()));
    } catch (error) {
      mistake.textContent = reason(error);
      (inner.at(error.field) ?? element.querySelector("input, textarea")).focus();
    }
  };
  const keys = (event) => {
    if (event.key === "Escape") close(null);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element.requestSubmit();
  };
  const element = h(
    "form", { class: "editing stack tight", novalidate: true, onsubmit: submit, onkeydown: keys, "aria-label": `${act} ${kind.noun}` },
    inner.element,
    mistake,
    h("div", { class: "buttons" },
      h("button", { class: "button main small" }, act),
      h("button", { class: "button small", type: "button", onclick: () => close(null) }, "Cancel")),
  );
  return { element, focus: () => element.querySelector("input, textarea").focus() };
}

/** The button that opens the form for a new item; the form stays for the next one. */
function addButton(holder, kind, add) {
  const button = h("button", { class: "button", type: "button", onclick: () => open() }, `Add a ${kind.noun}`);

  function open() {
    const form = formOf(kind, null, "Add", add, (result) => {
      if (result === null) {
        fill(holder, button);
        button.focus();
      } else {
        open();
      }
    });
    fill(holder, form.element);
    form.focus();
  }

  fill(holder, button);
}
