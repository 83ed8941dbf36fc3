/** Whether the private phrases of a person stand in what left, and why. */

import { h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { folded, standsIn } from "./phrases.js";
import { words } from "./sent.js";

const LEVELS = {
  open: "open: replies may say it",
  shape: "shape: it steers, and is not said",
  fill: "fill: the remote hears a placeholder",
  off: "off: not read at all",
};
const KINDS = {
  name: "name",
  email: "e-mail address",
  phone: "phone number",
  address: "address",
  number: "number",
  url: "link",
};
const LOOKED_FOR = `Looked for is each phrase, and what stands between its commas, in any case and with
  or without accents; of a text of the history, its beginning. Single words are not: how many of those the
  reply was the first to say stands above.`;
const FEW = 12; // phrases that are shown at once, beside all that are in what left

/**
 * The phrases of a person, each once: `places` says where it stands, and `verdict` why it, or a part of it,
 * is in what left; null where it is not.
 */
export function checked(preview, sent, { request, reply }) {
  const left = sent.texts().map(folded);
  const said = {
    own: wordsOf(request.messages, (role) => role !== "assistant"),
    earlier: wordsOf(request.messages, (role) => role === "assistant"),
    reply: [folded(reply)],
  };
  return distinct(preview.levels).map((one) => ({ ...one, verdict: verdict(one, left, said) }));
}

function distinct(levels) {
  const found = new Map();
  for (const one of levels) {
    const key = `${one.level} ${folded(one.text)}`;
    const places = found.get(key)?.places ?? new Set();
    found.set(key, { text: one.text, level: one.level, places: places.add(origin(one)), ...found.get(key) });
  }
  return [...found.values()].map((one) => ({ ...one, places: [...one.places] }));
}

function verdict({ text, level }, left, said) {
  if (standsIn(folded(text), left)) return why(folded(text), level, said);
  const part = parts(text).find((one) => standsIn(folded(one), left));
  if (!part) return null;
  const found = why(folded(part), level, said);
  return { ...found, reason: `Of it, “${part}”: ${found.reason}` };
}

/** What stands between the commas and full stops of a phrase. */
function parts(text) {
  return text.split(/[,;.:!?()\n]+/).map((part) => part.trim()).filter((part) => /\p{L}{4}/u.test(part));
}

function wordsOf(messages, wanted) {
  const chosen = messages.filter(({ role }) => wanted(role));
  return chosen.flatMap((one) => words({ ...one, role: null })).map(folded);
}

/** Why a phrase is in what left, and whether the person wrote it there. */
function why(phrase, level, { own, earlier, reply }) {
  if (standsIn(phrase, own)) return { own: true, reason: "You wrote it yourself in the conversation." };
  return { own: false, reason: reasonFor(phrase, level, earlier, reply) };
}

function reasonFor(phrase, level, earlier, reply) {
  if (standsIn(phrase, earlier)) return "An earlier reply of the conversation has it.";
  if (!standsIn(phrase, reply)) return "It stands in the remote's own draft, or in a fixed text.";
  if (level === "open") return "The reply said it: its level is open.";
  return `The reply said it, by the remote's own choice: at ${level} the small model does not help it.`;
}

/** The check in words: a sentence, and tables of phrases, those first that are in what left. */
export function check(phrases, where) {
  const found = phrases.filter(({ verdict }) => verdict);
  const rest = phrases.filter(({ verdict }) => !verdict);
  const short = rest.length <= FEW;
  const shown = short ? [...found, ...rest] : found;
  const title = `${counted(rest.length, "phrase")} not in ${where}`;
  return h(
    "div",
    { class: "stack" },
    h("p", {}, h("strong", {}, verdictOn(found, phrases.length, where))),
    shown.length > 0 && table(shown, where),
    !short && h("details", {}, h("summary", {}, title), table(rest, where)),
    h("p", { class: "quiet" }, LOOKED_FOR),
  );
}

function verdictOn(found, all, where) {
  const phrases = counted(all, "private phrase");
  if (!found.length) return `None of ${phrases} is in ${where}.`;
  const own = found.filter((one) => one.verdict.own).length;
  const those = own === found.length ? "because" : `${own} of them because`;
  const yourself = own ? `, ${those} you wrote it yourself` : "";
  return `${found.length} of ${phrases} ${found.length === 1 ? "is" : "are"} in ${where}${yourself}.`;
}

function table(phrases, where) {
  const head = ["Phrase", "Did it leave?"].map((text) => h("th", { scope: "col" }, text));
  return h(
    "table",
    { class: "phrases" },
    h("thead", {}, h("tr", {}, head)),
    h("tbody", {}, phrases.map((one) => row(one, where))),
  );
}

function row(one, where) {
  const verdict = one.verdict ? `In ${where}. ${one.verdict.reason}` : `Not in ${where}`;
  return h(
    "tr",
    {},
    h(
      "td",
      {},
      h("span", { class: "phrase" }, one.text),
      h("span", { class: "quiet" }, `${one.places.join(", ")}; ${LEVELS[one.level]}`),
    ),
    h("td", { class: one.verdict && !one.verdict.own ? "is-in" : null }, verdict),
  );
}

function origin({ what, key, item }) {
  const kind = KINDS[what] ? `${KINDS[what]} in ` : "";
  if (item !== null) return `${kind}a text of the history`;
  return key === null ? "the name of the profile" : `${kind}${key}`;
}
