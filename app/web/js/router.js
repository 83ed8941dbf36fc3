/** One view at a time, by the address behind `#`. It names a view and nothing else: nothing private is in it. */

import { fill, h } from "./dom.js";

/**
 * Shows the views by `#name`. `views` are `{ name, label, create }`; `create()` gives `{ element, shown?, hidden? }`
 * the first time that a view is seen. One whose link is hidden is not there. Views stay, so that a reply goes on
 * while another one is looked at.
 */
export function startRouter(main, nav, views) {
  const made = new Map();
  let current = null;

  function show({ focus }) {
    const view = views.find(({ name }) => location.hash === `#${name}` && !linkTo(name).hidden) ?? views[0];
    if (current?.name !== view.name) turnTo(view);
    if (focus) {
      window.scrollTo(0, 0);
      made.get(view.name).element.querySelector("h1")?.focus();
    }
  }

  function turnTo(view) {
    made.get(current?.name)?.hidden?.();
    if (!made.has(view.name)) made.set(view.name, added(main, view.create()));
    current = view;
    for (const [name, { element }] of made) element.hidden = name !== view.name;
    document.title = `${view.label} · CoSteer`;
    mark(nav, view.name);
    made.get(view.name).shown?.();
  }

  function linkTo(name) {
    return nav.querySelector(`[data-view=${name}]`);
  }

  fill(nav, views.map(({ name, label }) => h("a", { href: `#${name}`, data: { view: name } }, label)));
  window.addEventListener("hashchange", () => {
    if (location.hash === "#view") return main.focus(); // the link over the navigation
    return show({ focus: true });
  });
  show({ focus: false });

  /** Makes all views anew, as with another key. */
  return function restart() {
    for (const { element } of made.values()) element.remove();
    made.clear();
    current = null;
    show({ focus: false });
  };
}

function added(main, view) {
  main.append(view.element);
  return view;
}

function mark(nav, name) {
  for (const link of nav.children) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
