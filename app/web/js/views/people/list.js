/** The list of profiles. */

import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { importer } from "./transfer.js";
import { newProfile } from "./new_profile.js";

const NOBODY = "Nobody yet. Make a profile, or drop an exported one here: without one, replies are the "
  + "remote's own.";

/** `profiles` as the server lists them; `open(profile)` shows one. Files dropped on it are imported. */
export function listView(profiles, open) {
  const element = h("div", { class: "stack people-list" });
  const bring = importer(element, open);
  const make = async () => {
    const made = await newProfile();
    if (made) open(made);
  };
  const entries = profiles.map((profile) => h("li", {}, entry(profile, open)));
  return fill(
    element,
    h(
      "header",
      {},
      h("h1", { tabindex: "-1" }, "People"),
      h("p", {}, "Whom the small model knows, and what may be said of them."),
    ),
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button main", type: "button", onclick: make }, "New profile"),
      bring.button,
    ),
    bring.place,
    entries.length === 0
      ? h("p", { class: "empty" }, NOBODY)
      : h("ul", { class: "plain people", "aria-label": "Profiles" }, entries),
  );
}

function entry(profile, open) {
  const facts = counted(Object.keys(profile.fields).length, "fact");
  return h(
    "button",
    { class: "person", type: "button", data: { profile: profile.id }, onclick: () => open(profile) },
    h("span", { class: "name", dir: "auto" }, profile.name),
    profile.default && h("span", { class: "tag accent" }, "Default"),
    h("span", { class: "quiet" }, `${facts} · ${counted(profile.history_count, "text")}`),
  );
}
