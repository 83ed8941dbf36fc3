/** Keys and the pointer on the words of replies: each reply is one tab stop, and arrow keys go through it. */

const replies = new WeakMap();

/** Makes a reply's words ones to walk: `words` as of reply_text.js. The first is where Tab comes to. */
export function walkable(reply) {
  replies.set(reply.element, { words: reply.words, current: null });
}

/** Sees that Tab comes to the reply's words, once there is one. */
export function offer(reply) {
  const state = replies.get(reply.element);
  if (state.current === null && reply.words.length) makeCurrent(state, 0);
}

/** Listens for all replies in `holder`; `card` has `show(word)`, `pin(word)`, `leave()` and `enter()`. */
export function listen(holder, card) {
  let pressed = false; // a pointer is down: what it does is known when it is up
  holder.addEventListener("pointerdown", () => { pressed = true; });
  for (const end of ["pointerup", "pointercancel"]) holder.addEventListener(end, () => { pressed = false; });
  holder.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse") return;
    const at = placeOf(event.target);
    if (at) card.show(at.word);
    else card.leave();
  });
  holder.addEventListener("pointerleave", () => card.leave());
  holder.addEventListener("focusin", (event) => {
    const at = placeOf(event.target);
    if (at && !pressed) card.show(at.word, { follow: true });
  });
  holder.addEventListener("focusout", () => card.leave());
  holder.addEventListener("click", (event) => {
    const at = placeOf(event.target);
    if (!at || !getSelection().isCollapsed) return;
    makeCurrent(at.state, at.index);
    at.word.node.focus({ preventScroll: true });
    card.pin(at.word);
  });
  holder.addEventListener("keydown", (event) => press(event, card));
}

function press(event, card) {
  const at = placeOf(event.target);
  if (!at || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Enter" || event.key === " ") card.pin(at.word);
  else if (event.key === "Tab" && !event.shiftKey) {
    if (!card.enter()) return;
  } else {
    const to = target(event.key, at);
    if (to === undefined) return;
    makeCurrent(at.state, to);
    at.state.words[to].node.focus();
  }
  event.preventDefault();
}

/** Where a key leads; undefined for a key that leads nowhere. */
function target(key, { index, state: { words } }) {
  const last = words.length - 1;
  if (key === "ArrowRight") return Math.min(index + 1, last);
  if (key === "ArrowLeft") return Math.max(index - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key !== "ArrowDown" && key !== "ArrowUp") return undefined;
  const by = key === "ArrowDown" ? 1 : -1;
  for (let at = index + by; at >= 0 && at <= last; at += by) if (words[at].marked) return at;
  return index;
}

function placeOf(target) {
  const node = target.closest?.(".w[data-word]");
  const state = node && replies.get(node.closest(".reply"));
  if (!state) return null;
  const index = Number(node.dataset.word);
  return { state, index, word: state.words[index] };
}

/** The current word alone is reached by Tab, and alone is a button to screen readers: the rest is text. */
function makeCurrent(state, index) {
  const before = state.words[state.current]?.node;
  for (const name of ["tabindex", "role", "aria-haspopup"]) before?.removeAttribute(name);
  const { node } = state.words[index];
  node.tabIndex = 0;
  node.setAttribute("role", "button");
  node.setAttribute("aria-haspopup", "dialog");
  state.current = index;
}
