/** A reply's text as it arrives: words that are only ever added, with what the server tells about each. */

import { h } from "../../dom.js";
import { classes } from "./marks.js";
import { onNextFrame } from "./frames.js";

/**
 * Gives the element, `words` (`{ text, tokens, node, marked }`, in order), `push(text, tokens)` for the next
 * frame, `flush()`, and `text()`. `grown()` is called behind each frame that added something.
 */
export function createReplyText(label, grown) {
  const element = h("div", { class: "reply prose", role: "group", "aria-label": label });
  const words = [];
  const pieces = [];
  let waiting = [];
  let orphans = []; // tokens whose text comes with the next ones

  function push(text, tokens) {
    orphans.push(...tokens);
    if (!text) return;
    waiting.push([text, orphans]);
    pieces.push(text);
    orphans = [];
    onNextFrame(flush);
  }

  function flush() {
    if (!waiting.length) return;
    appendTokens(element, words, waiting);
    waiting = [];
    grown();
  }

  return { element, words, push, flush, text: () => pieces.join("") };
}

/**
 * Adds `pieces` (`[text, tokens]`) to a reply's element and to its `words`. Each line is a block of its own,
 * so that a long reply is not laid out anew for each word.
 */
function appendTokens(element, words, pieces) {
  const open = { line: element.lastElementChild, to: null };
  const lines = [];
  open.to = document.createDocumentFragment();
  for (const [text, tokens] of pieces) {
    const word = { text, tokens, node: null, marked: false };
    text.split("\n").forEach((part, at) => {
      if (at > 0 || !open.line) nextLine(open, lines);
      appendPart(open.to, part, word, words);
    });
  }
  open.line.append(open.to);
  element.append(...lines);
}

function nextLine(open, lines) {
  open.line?.append(open.to);
  open.line = h("div", { class: "reply-line" });
  open.to = document.createDocumentFragment();
  lines.push(open.line);
}

function appendPart(to, part, word, words) {
  const shown = part.trimStart();
  const blank = part.slice(0, part.length - shown.length);
  if (blank) to.append(blank);
  if (!shown) return;
  const marks = classes(word.tokens);
  const node = h("span", { class: ["w", ...marks].join(" ") }, shown);
  if (word.node === null) {
    word.node = node;
    word.marked = marks.length > 0;
    words.push(word);
  }
  node.dataset.word = String(words.length - 1);
  to.append(node);
}
