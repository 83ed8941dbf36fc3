/** On a phone the columns are tabs: one is seen at a time, while all go on. */

import { fill, h } from "../../dom.js";
import { tabBy } from "../../parts/tabs.js";

const WIDE = matchMedia("(min-width: 45rem)");

/** Gives the element and `show(columns)`, to be called when they or their titles change. `signal` ends it. */
export function createColumnTabs(name, signal) {
  const list = h("div", { class: "tabs column-tabs", role: "tablist", "aria-label": name, onkeydown: move });
  let columns = [];
  let current = null;

  function show(all) {
    columns = all;
    if (!columns.some(({ id }) => id === current)) current = columns[0]?.id ?? null;
    if (list.children.length !== columns.length) fill(list, columns.map((_, at) => tab(at)));
    columns.forEach((column, at) => {
      const button = list.children[at];
      button.classList.toggle("busy", column.busy());
      if (button.textContent !== column.title()) button.textContent = column.title();
    });
    turn();
  }

  function tab(at) {
    return h("button", { type: "button", role: "tab", onclick: () => choose(columns[at].id) });
  }

  function turn() {
    columns.forEach(({ id, element }, at) => {
      const mine = id === current;
      list.children[at].setAttribute("aria-selected", String(mine));
      list.children[at].setAttribute("aria-controls", id);
      list.children[at].tabIndex = mine ? 0 : -1;
      element.classList.toggle("behind", !mine);
      if (WIDE.matches) element.removeAttribute("role");
      else element.setAttribute("role", "tabpanel");
    });
  }

  function choose(id, focus = false) {
    current = id;
    turn();
    const at = columns.findIndex((column) => column.id === id);
    columns[at].toEnd();
    if (focus) list.children[at].focus();
    list.children[at].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function move(event) {
    const at = columns.findIndex(({ id }) => id === current);
    const to = tabBy(event.key, at, columns.length);
    if (to === null) return;
    event.preventDefault();
    choose(columns[to].id, true);
  }

  WIDE.addEventListener("change", turn, { signal });
  return { element: list, show };
}
