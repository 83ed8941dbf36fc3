/** One profile, opened: its tabs. */

import { h } from "../../dom.js";
import { createTabs } from "../../parts/tabs.js";
import { aboutView } from "./about.js";
import { historyView } from "./history.js";
import { previewView } from "./preview.js";
import { createProfileStore } from "./profile_store.js";
import { proposalsView } from "./proposals.js";

/**
 * The page of `profile`. `back()` leads to the list, null where there is none to see; `manage`, `gone` and
 * `replaced` as for `aboutView`. Gives the element, and `refresh()`, which reads the profile anew.
 */
export function personView(profile, { back, manage, gone, replaced }) {
  const store = createProfileStore(profile);
  const what = { manage, gone, replaced };
  const title = h("h1", { tabindex: "-1", dir: "auto" });
  const mark = h("span", { class: "tag accent" }, "Default");
  const draw = (newer) => {
    title.textContent = newer.name;
    mark.hidden = !newer.default;
  };
  const refresh = () => store.reload().catch(() => {}); // the next change says what is wrong
  const tabs = createTabs("Profile", [
    { id: "about", label: "About", panel: () => aboutView(store, what), shown: refresh },
    { id: "history", label: "History", panel: () => historyView(store) },
    { id: "proposals", label: "Proposals", panel: () => proposalsView(store) },
    { id: "preview", label: "Preview", panel: () => previewView(profile) },
  ]);
  store.onChange(draw);
  draw(profile);
  const header = h(
    "header",
    { class: "person-head" },
    back && h("button", { class: "button bare back", type: "button", onclick: back }, "← All people"),
    h("div", { class: "row" }, title, mark),
    h("p", { class: "quiet" }, h("code", {}, profile.id)),
  );
  return { element: h("div", {}, header, tabs), refresh };
}
