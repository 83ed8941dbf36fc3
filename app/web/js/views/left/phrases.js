/** Whether a phrase stands in a text, whatever its case, accents and line breaks are. */

const LETTER = /[\p{L}\p{N}]/u;
// Scripts that write words without spaces between them.
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;

/** A text as it is searched. */
export function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase().replace(/\s+/g, " ").trim();
}

/** Whether `phrase` stands in one of `texts` as whole words; all are folded. */
export function standsIn(phrase, texts) {
  return phrase !== "" && texts.some((text) => asWords(phrase, text));
}

function asWords(phrase, text) {
  for (let at = text.indexOf(phrase); at >= 0; at = text.indexOf(phrase, at + 1)) {
    const end = at + phrase.length;
    if (apart(text[at - 1], phrase[0]) && apart(phrase[phrase.length - 1], text[end])) return true;
  }
  return false;
}

/** Whether a word may end between two characters. */
function apart(left = " ", right = " ") {
  return !(LETTER.test(left) && LETTER.test(right)) || UNSPACED.test(left) || UNSPACED.test(right);
}
