/** Words that several parts of the view People share. */

import { say, warn } from "../../parts/status.js";
import { inWords } from "../../parts/trouble.js";

/** A fact's key as the small model reads it: "Writing style" for writing_style. */
export function readable(key) {
  const words = key.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A text that is cut where it is long, for a sentence or a label. */
export function short(text, most = 60) {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

/** A text within a sentence, whose direction of writing ends with it. */
export function isolated(text) {
  return `\u2068${text}\u2069`;
}

/** What `object` has itself by a name that somebody chose: "constructor" is none of those it inherits. */
export function ownOf(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Runs a change and says that it is saved, or why not; resolves to whether it is. */
export async function saved(work, words = "Saved.") {
  try {
    await work();
  } catch (error) {
    warn(`Not saved. ${reason(error)}`);
    return false;
  }
  say(words);
  return true;
}

/** Why something failed, in words. */
export function reason(error) {
  return error.name === "Mistake" ? error.message : inWords(error);
}
