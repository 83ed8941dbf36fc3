/** The tab About: what a profile says, what of it may be said, how it steers, and the whole as a file. */

import { get, quoted, remove } from "../../api.js";
import { keyInUse, useKey } from "../../key.js";
import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { confirmed } from "../../parts/dialog.js";
import { say, warn } from "../../parts/status.js";
import { inWords } from "../../parts/trouble.js";
import { factsEditor } from "./facts.js";
import { disclosureEditor, levelsExplained } from "./levels.js";
import { preferencesEditor } from "./preferences.js";
import { settingsEditor } from "./settings.js";
import { exportProfile, importer } from "./transfer.js";
import { isolated } from "./words.js";

const READ = "What the small model reads first, in this order.";
const UNDONE = "It cannot be undone. Exports and backups that you made still hold it.";
const TOLD = "The remote writes the text, so it reads what a reply says.";

/**
 * `manage`: whether the caller may do everything. `gone()` is called once the profile is erased, and
 * `replaced(profile)` when a file has taken its place.
 */
export function aboutView(store, { manage, gone, replaced }) {
  return h(
    "div",
    { class: "person-about" },
    section("Facts", READ, levelsExplained(), factsEditor(store)),
    section("Preferences", "How replies should be, whatever they are about.", preferencesEditor(store)),
    section("What replies may tell", TOLD, disclosureEditor(store)),
    section("Settings", null, settingsEditor(store, manage)),
    section("Export and delete", null, wholeEditor(store, { manage, gone, replaced })),
  );
}

function section(title, lead, ...content) {
  const head = h("div", {}, h("h2", {}, title), lead && h("p", { class: "quiet" }, lead));
  return h("section", { class: "stack" }, head, content);
}

function wholeEditor(store, { manage, gone, replaced }) {
  const save = async () => {
    try {
      await exportProfile(store.profile);
      say("Exported, with the whole history.");
    } catch (error) {
      warn(`Not exported. ${inWords(error)}`);
    }
  };
  const element = h("div", { class: "stack" });
  const bring = manage ? null : importer(element, replaced, { label: "Replace by a file" });
  const drop = () => erase(store, manage, gone);
  return fill(
    element,
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: save }, "Export"),
      bring?.button,
      h("button", { class: "button danger", type: "button", onclick: drop }, "Delete profile"),
    ),
    bring?.place,
  );
}

async function erase(store, manage, gone) {
  try {
    await store.reload();
    const { id, name } = store.profile;
    if (!await confirmed("Delete the profile?", await consequence(store.profile, manage), "Delete")) return;
    await remove(`/v1/profiles/${quoted(id)}`);
    say(`Deleted: ${isolated(name)}.`);
    if (!manage && keyInUse()) useKey(null);
    else gone();
  } catch (error) {
    warn(`Not deleted. ${inWords(error)}`);
  }
}

/** What goes with the profile, in words. */
async function consequence({ id, name, fields, history_count: texts }, manage) {
  const keys = manage ? (await get("/v1/keys")).data.filter((key) => key.profile === id).length : null;
  const what = [
    counted(Object.keys(fields).length, "fact"),
    counted(texts, "text"),
    keys === null ? "its keys, this tab's as well" : keys > 0 && counted(keys, "key"),
  ].filter(Boolean);
  const all = `${what.slice(0, -1).join(", ")} and ${what.at(-1)}`;
  return ["“", h("bdi", {}, name), `” is erased from this device: ${all}. ${UNDONE}`];
}
