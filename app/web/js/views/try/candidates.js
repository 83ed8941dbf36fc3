/** What each model made of a word: a sentence, and a table of its tokens' candidates. */

import { h } from "../../dom.js";
import { changed, filledIn, heldBack, moved, step } from "./marks.js";

const ABOUT = ["About the person", "About replies"];

/** A word without the space in front of it, and so that line ends are seen. */
export function quoted(text) {
  const shown = text.replaceAll("\n", "↵").replaceAll("\t", "⇥");
  return `“${shown.trimStart() || shown}”`;
}

/** What was done to a word, in a sentence or two. */
export function inSentences({ tokens }) {
  if (!tokens.length) return "Nothing is told of this word.";
  const drafted = quoted(tokens.map((token) => token.drafted).join(""));
  if (filledIn(tokens)) {
    const told = tokens.map((token) => token.chosen).join("").trim();
    return `Written in on this device. The remote has ${quoted(told)} in its place.`;
  }
  const said = changed(tokens) ? `The remote had drafted ${drafted}.` : "The remote drafted it too.";
  const held = heldBack(tokens) ? " Something guarded was held back here." : "";
  return `${said}${held} ${byHowMuch(tokens)}`;
}

function byHowMuch(tokens) {
  if (tokens.every((token) => token.local_delta === null)) return "The small model was not asked.";
  const ratio = Math.exp(moved(tokens));
  if (step(tokens) > 0) return `Steering made it ${times(ratio)} times as likely.`;
  return "Steering hardly moved it.";
}

const times = (ratio) => (ratio >= 1000 ? "over 1,000" : ratio.toPrecision(ratio < 10 ? 2 : 3));

/** The table of one token's candidates; null where the server told none. */
export function candidatesTable(token) {
  const rows = token.candidates ?? [];
  if (!rows.length) return null;
  const pairs = rows.reduce((most, one) => Math.max(most, one.local_probs?.length ?? 0), 0);
  return h(
    "div",
    { class: "scroll-x", tabindex: 0, role: "group", "aria-label": "Candidates" },
    h("table", {}, head(pairs), h("tbody", {}, rows.map((one) => row(one, token, pairs)))),
  );
}

function head(pairs) {
  const column = (text) => h("th", { scope: "col", class: "number" }, text);
  const group = (_, at) => h("th", { scope: "colgroup", colspan: 2, class: "number" }, ABOUT[at] ?? "");
  const groups = Array.from({ length: pairs }, group);
  const above = pairs > 1 && h("tr", {}, h("td", { colspan: 3 }), groups);
  const columns = Array.from({ length: pairs }, () => [column("With"), column("Without")]);
  return h("thead", {}, above, h(
    "tr",
    {},
    h("th", { scope: "col" }, "Candidate"),
    column("Remote"),
    column("Final"),
    columns,
  ));
}

function row(one, token, pairs) {
  const nothing = { with: null, without: null };
  const local = Array.from({ length: pairs }, (_, at) => one.local_probs?.[at] ?? nothing);
  const chosen = one.id === token.chosen_id;
  const notes = [
    chosen && ["chosen", "accent"],
    one.id === token.drafted_id && ["drafted", ""],
    one.proposed === "device" && ["from this device", ""],
    one.held && ["held", "warn"],
  ].filter(Boolean);
  return h(
    "tr",
    { class: chosen ? "chosen" : null },
    h("th", { scope: "row" }, quoted(one.token), " ", notes.map(([text, kind]) => [
      h("span", { class: `tag ${kind}` }, text), " ",
    ])),
    cell(one.remote_prob, "remote", one.proposed === "device"),
    cell(one.steered_prob, "final"),
    local.map((pair) => [cell(pair.with, "local"), cell(pair.without, "local")]),
  );
}

function cell(share, kind, estimated = false) {
  const text = percent(share);
  const bar = h("span", { class: `share ${kind}`, "aria-hidden": "true" });
  bar.style.setProperty("--share", String(share ?? 0));
  return h("td", { class: "number" }, estimated && share !== null ? `≈ ${text}` : text, bar);
}

/** A probability as a percentage; a dash where there is none. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share > 0 && share < 0.001) return "<0.1 %";
  return `${(share * 100).toFixed(1)} %`;
}
