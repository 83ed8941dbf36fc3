/** A row of an ordered list: its reading part with the acts beside it, or its form. */

import { fill, h } from "../../dom.js";
import { items } from "../../parts/reorder.js";
import { itemForm } from "./ordered_form.js";
import { short } from "./words.js";

/**
 * `acts` are `move(item, to)`, `edit(item, value)`, which gives the row that holds it then, and
 * `remove(item)`. Gives the element, `update(item)`, `setPlace(place, count)` and `focus()`.
 */
export function orderedRow(first, kind, acts) {
  let item = first;
  const shown = kind.show(item);
  const handle = h("button", { class: "handle", type: "button", data: { handle: "" } }, quiet("⠿"));
  const up = act(quiet("↑"), () => step(-1), "icon");
  const down = act(quiet("↓"), () => step(1), "icon");
  const edit = act("Edit", () => open());
  const drop = act("Delete", () => acts.remove(item));
  const reading = h(
    "div",
    { class: "reading" },
    handle,
    shown.element,
    h("div", { class: "acts" }, up, down, edit, drop),
  );
  const element = h("li", { class: "item", data: { id: item.id } }, reading);

  async function step(by) {
    const rows = items(element.parentNode);
    const to = rows.indexOf(element) + by;
    if (to < 0 || to >= rows.length) return;
    await acts.move(item, to);
    const [one, other] = by < 0 ? [up, down] : [down, up];
    (one.disabled ? other : one).focus();
  }

  function open() {
    const form = itemForm(kind, item, "Save", (value) => acts.edit(item, value), (row) => {
      fill(element, reading);
      if (row) row.focus();
      else edit.focus();
    });
    fill(element, form.element);
    form.focus();
  }

  return {
    element,
    focus: () => edit.focus(),
    update(newer) {
      item = newer;
      shown.update(newer);
    },
    setPlace(at, count) {
      setPlace(short(kind.name(item)), at, count, { handle, up, down, edit, drop });
    },
  };
}

/** Says in labels what a row's buttons are for, and takes those away that lead nowhere. */
function setPlace(name, at, count, { handle, up, down, edit, drop }) {
  up.disabled = at === 0;
  down.disabled = at === count - 1;
  for (const one of [handle, up, down]) one.hidden = count < 2;
  const place = `${at + 1} of ${count}`;
  handle.setAttribute("aria-label", `Move ${name}: ${place}. Drag, or press Alt with an arrow key`);
  for (const [one, words] of [[up, "Move up"], [down, "Move down"], [edit, "Edit"], [drop, "Delete"]]) {
    one.setAttribute("aria-label", `${words}: ${name}`);
  }
}

function act(label, onclick, more = "") {
  return h("button", { class: `button bare small ${more}`, type: "button", onclick }, label);
}

function quiet(sign) {
  return h("span", { "aria-hidden": "true" }, sign);
}
