/** One view at a time, by the address behind `#`: it names a view, and has nothing private in it. */

import { fill, h } from "./dom.js";
import { trouble } from "./parts/trouble.js";

/**
 * Shows the views by `#name`. `views` are `{ name, label, load }`; `load()` fetches a view's modules when
 * it is first seen, and resolves to what makes it: `create()` gives the element, and perhaps `shown()`,
 * `hidden()` and `removed()`. One whose link is hidden is not there. Views stay, so that a reply goes on
 * while another one is looked at, until all are made anew.
 */
export function startRouter(main, nav, views) {
  let made = new Map();
  let current = null;

  async function show({ focus }) {
    const view = views.find(({ name }) => location.hash === `#${name}` && !linkTo(name).hidden) ?? views[0];
    if (current !== view) leaveFor(view);
    const among = made;
    const loaded = among.get(view.name) ?? await load(view);
    if (current !== view || made !== among) return; // left again, or restarted, while it was loaded
    if (!among.has(view.name)) {
      among.set(view.name, loaded);
      main.append(loaded.element);
    }
    const shown = among.get(view.name); // another one, where it was asked for twice while it was loaded
    if (shown.element.hidden || !shown.seen) enter(shown);
    if (focus) {
      window.scrollTo(0, 0);
      shown.element.querySelector("h1")?.focus();
    }
  }

  function leaveFor(view) {
    const left = made.get(current?.name);
    left?.hidden?.();
    if (left) left.element.hidden = true;
    current = view;
    document.title = `${view.label} · CoSteer`;
    mark(nav, view.name);
  }

  function enter(view) {
    view.element.hidden = false;
    view.seen = true;
    view.shown?.();
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
    made.get(current?.name)?.hidden?.();
    for (const { element, removed } of made.values()) {
      element.remove();
      removed?.();
    }
    made = new Map();
    current = null;
    show({ focus: false });
  };
}

/** The view, or a few words where its modules do not come. */
async function load({ load: fetched, label }) {
  try {
    return (await fetched())();
  } catch (error) {
    const retry = () => location.reload();
    const title = `The view ${label} could not be loaded`;
    const block = trouble(error, { title, retry, act: "Load the page again" });
    return { element: h("section", { class: "view" }, block) };
  }
}

function mark(nav, name) {
  for (const link of nav.children) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
