/** Tabs: one panel at a time; arrow keys go through them (ARIA Authoring Practices, Tabs Pattern). */

import { fill, h, uniqueId } from "../dom.js";

/**
 * `tabs` are `{ id, label, panel }`; `panel()` makes a panel's element when it is first seen, and `shown()`, if
 * there is one, is called each time. Gives the element, and `select(id)`.
 */
export function createTabs(name, tabs, { selected = tabs[0].id } = {}) {
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
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: ids.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(ids[(to + ids.length) % ids.length], { focus: true });
  }

  const list = h("div", { class: "tabs", role: "tablist", "aria-label": name, onkeydown: move }, tabs.map((tab) => h(
    "button",
    { type: "button", role: "tab", id: `${stem}-${tab.id}`, data: { tab: tab.id }, onclick: () => select(tab.id) },
    tab.label,
  )));
  select(selected);
  return { element: h("div", {}, list, holder), select };
}
