/** Work on the page, once a frame: streams come faster than a screen is drawn. */

const waiting = new Set();
let asked = false;

/** Calls `work` before the next frame, once however often it is asked for. */
export function onNextFrame(work) {
  waiting.add(work);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const works = [...waiting];
    waiting.clear();
    for (const one of works) one();
  });
}
