/** A text with its special tokens set back, and what is searched marked. */

import { h } from "../../dom.js";

// As chat templates write them; how a text is shown is all that hangs on it.
const SPECIAL = new RegExp([
  "<[|｜][^<>|｜\\n]{1,48}[|｜]>",
  "</?(?:s|bos|eos|pad|unk|think|start_of_turn|end_of_turn|tool_call|tool_response)>",
  "\\[/?INST\\]",
].join("|"), "gi");

/** Nodes of `text`; `wanted` is what is searched, an empty text for nothing. */
export function markedText(text, wanted = "") {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(SPECIAL)) {
    nodes.push(searched(text.slice(from, found.index), wanted), h("span", { class: "special" }, found[0]));
    from = found.index + found[0].length;
  }
  return [...nodes, searched(text.slice(from), wanted)];
}

function searched(text, wanted) {
  if (!wanted) return text;
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return text; // a few letters change their length with their case
  const nodes = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    nodes.push(text.slice(from, at), h("mark", {}, text.slice(at, at + wanted.length)));
    from = at + wanted.length;
  }
  return [...nodes, text.slice(from)];
}
