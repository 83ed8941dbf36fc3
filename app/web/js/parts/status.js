/** Says briefly what has happened: to be seen at the foot of the window, and heard by screen readers once. */

const SECONDS = 6;
const timers = new Map();

/** Good news, said politely; heard alone, and not `seen`, where the page shows it already. */
export function say(text, { seen = true } = {}) {
  const note = document.querySelector(".note[role=status]");
  note.classList.toggle("unseen", !seen);
  show(note, text, SECONDS);
}

/** Bad news that stands nowhere else on the page, said at once. */
export function warn(text) {
  show(document.querySelector(".note[role=alert]"), text, SECONDS * 2);
}

function show(note, text, seconds) {
  clearTimeout(timers.get(note));
  note.textContent = text;
  timers.set(note, setTimeout(() => { note.textContent = ""; }, seconds * 1000));
}
