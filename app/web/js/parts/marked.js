/** Texts in which some words are marked. */

import { h } from "../dom.js";

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
// Scripts without blanks between words: there a search finds any two letters.
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Hangul}]+/gu;
const STROKES = {
  ø: "o",
  ł: "l",
  đ: "d",
  ħ: "h",
  ŧ: "t",
  ı: "i",
  æ: "ae",
  œ: "oe",
  ð: "d",
  þ: "th",
  ß: "ss",
};

/** The text with its characters `start` to `end` marked, counted as the server does: code points. */
export function markedPart(text, start, end) {
  const characters = [...text];
  const cut = (from, to) => characters.slice(from, to).join("");
  return [cut(0, start), h("mark", {}, cut(start, end)), cut(end)];
}

/** The text with those of its words marked that a search for `query` finds. */
export function markedWords(text, query) {
  const parts = [];
  let place = 0;
  for (const [start, end] of ranges(text, query)) {
    parts.push(text.slice(place, start), h("mark", {}, text.slice(start, end)));
    place = end;
  }
  return [...parts, text.slice(place)];
}

/** About `most` characters of the text on one line, from shortly before the first word that `query` finds. */
export function excerpt(text, query, most) {
  const line = text.replace(/\s+/g, " ").trim();
  const [first] = ranges(line, query);
  if (line.length <= most || !first || first[1] < most) return cut(line, most);
  const start = line.indexOf(" ", first[0] - most / 4) + 1;
  return `…${cut(line.slice(Math.min(start, first[0])), most)}`;
}

function cut(line, most) {
  if (line.length <= most) return line;
  const end = line.lastIndexOf(" ", most);
  return `${line.slice(0, end > most / 2 ? end : most)}…`;
}

/** Where the words are: pairs of places in order, none within another. */
function ranges(text, query) {
  const spaced = (one) => one.replace(UNSPACED, " ");
  const words = new Set((spaced(query).match(WORD) ?? []).map(folded));
  const found = [];
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (words.has(folded(word))) found.push([index, index + word.length]);
  }
  for (const run of query.match(UNSPACED) ?? []) {
    for (const pair of pairs(run)) {
      for (let at = text.indexOf(pair); at >= 0; at = text.indexOf(pair, at + 1))
        found.push([at, at + pair.length]);
    }
  }
  return joined(found.sort((one, other) => one[0] - other[0]));
}

function joined(sorted) {
  const all = [];
  for (const [start, end] of sorted) {
    const last = all.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else all.push([start, end]);
  }
  return all;
}

function pairs(run) {
  const letters = [...run];
  return letters.length < 2 ? letters : letters.slice(1).map((letter, place) => letters[place] + letter);
}

/** A word without case and accents. */
function folded(word) {
  return word
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[øłđħŧıæœðþß]/g, (one) => STROKES[one]);
}
