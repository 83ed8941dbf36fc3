/** The tab Preview: exactly what the small model would read before a reply, and what of it may be said. */

import { post, quoted } from "../../api.js";
import { fill, h, uniqueId } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { field } from "../../parts/field.js";
import { onSubmit } from "../../parts/once.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";
import { headline } from "./history_item.js";
import { LEVELS } from "./levels.js";
import { readable } from "./words.js";

// By what a pair is about: what it is called, and each of its two readings.
const ABOUT = {
  person: ["Who they are, and what they wrote", "With what it knows", "Without"],
  preferences: ["How replies should be", "As preferred", "The other way"],
};
const WHAT = {
  item: "A text",
  name: "A name",
  email: "An e-mail address",
  phone: "A telephone number",
  address: "A postal address",
  number: "An account number",
  url: "A web address",
};
const LEAD = "Before each reply the small model on this device reads the conversation twice, with what it "
  + "knows and without. The difference steers the reply. Nothing of it is sent anywhere.";

/** A preview for `profile`, of a message that the person types. */
export function previewView(profile) {
  const path = `/v1/profiles/${quoted(profile.id)}/preview`;
  const message = h("textarea", { rows: 3, dir: "auto", value: "Write a short note about my week." });
  const place = h("div", { class: "stack preview" });
  const button = h("button", { class: "button main" }, "Show");

  async function show() {
    const content = message.value.trim();
    if (!content || button.disabled) return;
    button.disabled = true;
    try {
      fill(place, shown(await post(path, { messages: [{ role: "user", content }] })));
      say("Here is what the small model reads.");
    } catch (error) {
      fill(place, trouble(error, { title: "No preview", retry: show }));
    } finally {
      button.disabled = false;
    }
  }

  return h("div", { class: "stack preview-tab" },
    h("div", {}, h("h2", {}, "What the small model reads"), h("p", { class: "quiet lead" }, LEAD)),
    h("form", { class: "stack tight", onsubmit: onSubmit(show) },
      field("A message, as you would send it", message), h("div", { class: "buttons" }, button)),
    place);
}

function shown(told) {
  if (!told.prompts.length) return h("p", { class: "empty" }, nothing(told));
  return [
    room(told.private),
    ...told.prompts.map(pair),
    texts(told.history),
    preferences(told.preferences),
    levels(told.levels),
  ];
}

function nothing({ strength }) {
  return strength === 0
    ? "The strength of this profile is 0, so the small model reads nothing and steers nothing."
    : "The profile says nothing yet that could steer this conversation: add facts, preferences or texts.";
}

function room({ tokens, max_tokens: most }) {
  const id = uniqueId("room");
  const [used, all] = [tokens, most].map((number) => number.toLocaleString("en"));
  return h("div", { class: "progress" },
    h("span", { id, class: "quiet" }, `${used} of the ${all} tokens (pieces of words) there is room for`),
    h("meter", { "aria-labelledby": id, min: 0, max: Math.max(most, tokens), value: tokens }));
}

/** The two prompts side by side; lines that the other does not have are marked. */
function pair({ about, context_aware: aware, context_agnostic: agnostic, weight }) {
  const [title, one, other] = ABOUT[about];
  return h("section", { class: "stack tight" },
    h("h3", {}, title, weight !== 1 && h("small", {}, ` · counts ${weight} times`)),
    h("div", { class: "pair" },
      prompt(one, aware, agnostic.prompt),
      prompt(other, agnostic, aware.prompt)));
}

function prompt(label, { prompt: text, tokens }, other) {
  const id = uniqueId("prompt");
  const lines = new Set(other.split("\n"));
  const own = (line) => (lines.has(line.replace(/\n$/, "")) ? line : h("mark", {}, line));
  const parts = text.split(/(?<=\n)/).map(own);
  const size = h("span", { class: "quiet" }, ` · ${counted(tokens, "token")}`);
  return h("figure", {},
    h("figcaption", { id }, h("strong", {}, label), size),
    h("pre", { class: "raw", tabindex: "0", role: "region", "aria-labelledby": id, dir: "auto" }, parts));
}

function texts(history) {
  if (!history.length) return null;
  const row = (one) => h("li", { class: "row" },
    h("details", { class: "grow" },
      h("summary", {}, h("bdi", {}, headline(one))),
      h("p", { class: "passage", dir: "auto" }, one.passage)),
    fitted(one));
  return part("Texts that were chosen", h("ul", { class: "plain chosen" }, history.map(row)));
}

function preferences(all) {
  if (!all.length) return null;
  const row = (one) => h("li", { class: "row" },
    h("span", { class: "grow", dir: "auto" }, one.text,
      one.opposite && h("span", { class: "quiet" }, ` rather than: ${one.opposite}`)),
    fitted(one));
  return part("Preferences", h("ul", { class: "plain chosen" }, all.map(row)));
}

function part(title, ...content) {
  return h("section", { class: "stack tight" }, h("h3", {}, title), content);
}

function fitted({ included }) {
  return included ? h("span", { class: "tag good" }, "Read") : h("span", { class: "tag warn" }, "No room");
}

function levels(all) {
  if (!all.length) return null;
  const row = ({ text, what, level, key }) => h("tr", {},
    h("td", { dir: "auto" }, text),
    h("td", {}, what === "field" ? readable(key) : WHAT[what]),
    h("td", {}, LEVELS.find((one) => one.level === level).label));
  const head = ["What stands there", "What it is", "Replies"].map((one) => h("th", { scope: "col" }, one));
  const used = LEVELS.filter(({ level }) => all.some((one) => one.level === level));
  const meaning = ({ label, words }) => h("div", {}, h("dt", {}, label), h("dd", {}, words));
  return part("What replies may say of it",
    h("table", { class: "said-of" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, all.map(row))),
    h("dl", { class: "meanings" }, used.map(meaning)));
}
