/** Tabs: one panel at a time; arrow keys go through them (ARIA Authoring Practices, Tabs Pattern). */

import { fill, h, uniqueId } from "../dom.js";

/**
 * The element of `tabs`, which are `{ id, label, panel }`, with the first one open; `panel()` makes a panel's
 * element when it is first seen, and `shown()`, if there is one, is called each time.
 */
export function createTabs(name, tabs) {
  const stem = uniqueId("tabs");
  const panels = new Map();
  const holder = h("div", {});

  function select(id, { focus = false } = {}) {
    for (const button of list.children) {
      const mine = button.dataset.tab === id;
      button.setAttribute("aria-selected", String(mine));
      button.tabIndex = mine ? 0 : -1;
      if (mine && focus) button.focus();
    }
    if (!panels.has(id)) panels.set(id, holder.appendChild(panelOf(tabs.find((tab) => tab.id === id))));
    for (const [other, panel] of panels) panel.hidden = other !== id;
    tabs.find((tab) => tab.id === id).shown?.();
  }

  function panelOf({ id, panel }) {
    const element = h("div", { class: "panel", role: "tabpanel", id: `${stem}-${id}-panel`, tabindex: 0 });
    element.setAttribute("aria-labelledby", `${stem}-${id}`);
    return fill(element, panel());
  }

  function move(event) {
    const ids = tabs.map(({ id }) => id);
    const at = ids.indexOf(event.target.dataset.tab);
    const to = tabBy(event.key, at, ids.length);
    if (to === null) return;
    event.preventDefault();
    select(ids[to], { focus: true });
  }

  const bar = { class: "tabs", role: "tablist", "aria-label": name, onkeydown: move };
  const list = h("div", bar, tabs.map((tab) => h(
    "button",
    {
      type: "button", role: "tab", id: `${stem}-${tab.id}`, data: { tab: tab.id },
      onclick: () => select(tab.id),
    },
    tab.label,
  )));
  select(tabs[0].id);
  return h("div", {}, list, holder);
}

/** Where a key leads from tab `at` of `count`, around the ends too; null for a key that leads nowhere. */
export function tabBy(key, at, count) {
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: count - 1 }[key];
  return to === undefined ? null : (to + count) % count;
}
