/** A profile as a file: exported by the page itself, and imported from a file that is chosen or dropped. */

import { get, post, quoted, send } from "../../api.js";
import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { confirmed } from "../../parts/dialog.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";
import { bringsFiles } from "./dropped.js";
import { isolated } from "./words.js";

const WHOLE = "The file takes its place as a whole: what is not in the file is erased.";
const KINDS = ".json,.toml,application/json";

/** Asks for the export, and lets the browser keep it as a file. */
export async function exportProfile({ id }) {
  const answer = await send("GET", `/v1/profiles/${quoted(id)}/export`);
  const url = URL.createObjectURL(await answer.blob());
  h("a", { href: url, download: `${id}.json` }).click();
  URL.revokeObjectURL(url);
}

/**
 * The button that imports a file, and the place for what was wrong with it; files dropped on `zone` are
 * imported too. `done(profile)` is called with what was imported.
 */
export function importer(zone, done, { label = "Import a file" } = {}) {
  const input = h("input", { type: "file", accept: KINDS, hidden: true, onchange: () => chosen() });
  const place = h("div", { class: "import-trouble" });
  const button = h("button", { class: "button", type: "button", onclick: () => input.click() }, label);

  function chosen() {
    const [file] = input.files;
    input.value = ""; // or the same file could not be chosen again
    if (file) bring(file);
  }

  async function bring(file) {
    fill(place);
    button.disabled = true;
    try {
      const profile = await imported(file);
      if (profile) {
        say(`Imported: ${isolated(profile.name)}.`);
        done(profile);
      }
    } catch (error) {
      fill(place, trouble(error, { title: "The file was not imported. Nothing was changed." }));
    }
    button.disabled = false;
  }

  dropZone(zone, bring);
  return { button: [button, input], place };
}

/** The profile of a file; asks before it replaces one, and gives null where it does not. */
async function imported(file) {
  const type = file.name.toLowerCase().endsWith(".toml") ? "application/toml" : "application/json";
  const options = { headers: { "Content-Type": type } };
  try {
    return await post("/v1/profiles/import", file, options);
  } catch (error) {
    if (error.code !== "profile_exists") throw error;
    if (!await confirmed("Replace the profile?", await consequence(error.message), "Replace")) return null;
  }
  return post("/v1/profiles/import?replace=true", file, options);
}

async function consequence(message) {
  const [, id] = /'([a-z0-9_-]{1,64})'/.exec(message) ?? [];
  const { name, fields, history_count: texts } = await get(`/v1/profiles/${quoted(id)}`);
  const has = `${counted(Object.keys(fields).length, "fact")} and ${counted(texts, "text")}`;
  return ["There is a profile “", h("bdi", {}, name), `” (${id}) already, with ${has}. ${WHOLE}`];
}

function dropZone(zone, bring) {
  const mark = (over) => zone.classList.toggle("dropping", over);
  zone.addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) mark(false);
  });
  zone.addEventListener("drop", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    mark(false);
    bring(event.dataTransfer.files[0]);
  });
}
