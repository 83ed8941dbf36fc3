/** Keeps a column's end in sight while it grows, unless its reader has scrolled up. */

const NEAR = 32; // px from the end that count as the end

const MEANT = 800; // ms after a reader's act that scrolling is theirs

/** Gives `grown()`, for when something was added, and `toEnd()`. `told(bool)`: whether it follows. */
export function follow(scroller, told) {
  let following = true;
  let last = 0;
  let until = 0; // till when scrolling is the reader's; what grows and shrinks scrolls as well

  scroller.addEventListener("scroll", () => {
    const at = scroller.scrollTop;
    const atEnd = at + scroller.clientHeight >= scroller.scrollHeight - NEAR;
    if (atEnd) turn(true);
    else if (at < last && performance.now() < until) turn(false);
    last = at;
  }, { passive: true });

  for (const act of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    scroller.addEventListener(act, () => { until = performance.now() + MEANT; }, { passive: true });
  }

  function turn(on) {
    if (following === on) return;
    following = on;
    told(on);
  }

  function grown() {
    if (following) scroller.scrollTop = scroller.scrollHeight;
  }

  function toEnd() {
    turn(true);
    grown();
  }

  return { grown, toEnd };
}
