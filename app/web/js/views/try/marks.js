/** How a word of a reply is marked: by how much it was steered, and by what else was done to it. */

// From so many nats on, a word has one of three tints: 1.1, 1.6 and 4.5 times as likely as without steering.
const STEPS = [0.1, 0.5, 1.5];
// The least probability that a ratio is taken of.
const LEAST = 1e-9;

/** How much likelier steering has made a word, in nats: of its tokens the most. */
export function moved(tokens) {
  return tokens.reduce((most, token) => Math.max(most, gain(token)), 0);
}

/** 0 to 3: how strong the word's tint is. */
export function step(tokens) {
  const nats = moved(tokens);
  return STEPS.filter((least) => nats >= least).length;
}

/** Whether the remote had drafted something else. */
export const changed = (tokens) => tokens.some((token) => token.drafted_id !== token.chosen_id);

/** Whether something guarded was kept back in the word's place. */
export const heldBack = (tokens) => tokens.some((token) => token.held_back);

/** Whether the word is a value that was written in on the device. */
export const filledIn = (tokens) => tokens.some((token) => token.filled);

/** The classes of a word, as css/try.css has them. */
export function classes(tokens) {
  if (filledIn(tokens)) return ["filled"];
  const tint = step(tokens);
  return [tint > 0 && `m${tint}`, heldBack(tokens) && "held", changed(tokens) && "changed"].filter(Boolean);
}

function gain({ steered_prob: after, remote_prob: before }) {
  return Math.log(Math.max(after, LEAST) / Math.max(before, LEAST));
}
