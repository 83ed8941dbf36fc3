/** The view Keys: which there are, new ones, and revoking them. */

import { get, quoted, remove } from "../api.js";
import { fill, h } from "../dom.js";
import { useKey } from "../key.js";
import { confirmed } from "../parts/dialog.js";
import { say, warn } from "../parts/status.js";
import { inWords, trouble } from "../parts/trouble.js";
import { newKey } from "./keys/new_key.js";

const LAST = "It is the last admin key. Where only this machine reaches the server, requests without a key "
  + "may then do everything; where others reach it, nobody manages it from here until `costeer keys create "
  + "--admin` makes another.";
const LEAD = "An app gets a profile by its key: give it the key and this server's address, and it writes like "
  + "that person.";
const OPEN = "No key is needed now: whoever reaches this server without one may do everything. The "
  + "first admin key ends that.";
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

/** Makes the view: its element, and what is done when it is shown. */
export function createKeys() {
  const place = h("div", { class: "stack" });
  const header = h("header", {}, h("h1", { tabindex: "-1" }, "Keys"), h("p", {}, LEAD));
  const element = h("section", { class: "view narrow" }, header, place);

  async function draw() {
    try {
      const [{ data: keys }, { data: profiles }] = await Promise.all([get("/v1/keys"), get("/v1/profiles")]);
      fill(place, content(keys, profiles, draw));
    } catch (error) {
      fill(place, trouble(error, { title: "The keys could not be read", retry: draw }));
    }
  }

  return { element, shown: draw };
}

function content(keys, profiles, draw) {
  const closed = keys.some(({ admin }) => admin);
  const make = async () => {
    const made = await newKey(profiles, closed);
    if (made) await draw();
    document.querySelector("[data-new-key]")?.focus();
  };
  const properties = { class: "button main", type: "button", data: { newKey: "" }, onclick: make };
  const button = h("button", properties, "New key");
  const entries = keys.map((key) => h("li", {}, entry(key, keys, profiles, draw)));
  return [
    h("p", {}, closed ? "Every request needs a key." : OPEN),
    h("div", { class: "buttons" }, button),
    entries.length === 0
      ? h("p", { class: "empty" }, "No keys yet.")
      : h("ul", { class: "plain keys", "aria-label": "Keys" }, entries),
  ];
}

function entry(key, keys, profiles, draw) {
  const name = key.label || "No label";
  const opens = key.admin ? "everything" : profiles.find(({ id }) => id === key.profile)?.name ?? key.profile;
  const revoke = async () => {
    const next = neighbour(button);
    if (!await revoked(key, keys, { name, opens })) return;
    if (key.current) {
      useKey(null);
      return;
    }
    await draw();
    document.querySelector(next ? `[data-key="${next}"]` : "[data-new-key]")?.focus();
  };
  const button = h(
    "button",
    {
      class: "button danger small", type: "button", data: { key: key.id }, onclick: revoke,
      "aria-label": `Revoke: ${key.label || `No label, opens ${opens}`}`,
    },
    "Revoke",
  );
  return h("div", { class: "key" }, described(key, name, opens), button);
}

/** The id of the key beside that of a button, which has the focus once this one is gone. */
function neighbour(button) {
  const item = button.closest("li");
  return (item.nextElementSibling ?? item.previousElementSibling)?.querySelector("button").dataset.key;
}

function described(key, name, opens) {
  const used = key.last_used_at ? `last used ${day(key.last_used_at)}` : "not used yet";
  return h(
    "div",
    { class: "words" },
    h(
      "p",
      { class: "row" },
      h("strong", { dir: "auto" }, name),
      key.admin && h("span", { class: "tag accent" }, "Admin"),
      key.current && h("span", { class: "tag good" }, "This tab"),
    ),
    h("p", {}, "Opens ", h("bdi", {}, opens)),
    h("p", { class: "quiet" }, `Made ${day(key.created_at)}, ${used}`),
  );
}

function day(time) {
  return DAY.format(new Date(time));
}

/** Asks, and deletes the key; resolves to whether it is gone. */
async function revoked(key, keys, { name, opens }) {
  const last = key.admin && keys.filter(({ admin }) => admin).length === 1;
  const own = key.current ? " It is this tab's own key." : "";
  const text = [
    "“", h("bdi", {}, name), "” opens ", h("bdi", {}, opens),
    `.${own} Apps that have it are refused from then on. ${last ? LAST : ""}`,
  ];
  if (!await confirmed("Revoke the key?", text, "Revoke")) return false;
  try {
    await deleted(key, last);
  } catch (error) {
    if (error.code === "last_admin_key") return againAsked(key);
    if (error.code === "key_not_found") { // another window was faster
      say("It was revoked already.");
      return true;
    }
    warn(`Not revoked. ${inWords(error)}`);
    return false;
  }
  return true;
}

/** Another window has deleted the other admin keys meanwhile. */
async function againAsked(key) {
  if (!await confirmed("Revoke the last admin key?", LAST, "Revoke")) return false;
  await deleted(key, true);
  return true;
}

async function deleted(key, last) {
  const { opens } = await remove(`/v1/keys/${quoted(key.id)}${last ? "?open=true" : ""}`);
  say(opens ? "Revoked. Requests without a key are answered again." : "Revoked.");
}
