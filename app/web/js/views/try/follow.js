/** Keeps a column's end in sight while it grows, unless its reader has scrolled up. */

const NEAR = 32; // px from the end that count as the end

/** Gives `grown()`, to be called when something was added, and `toEnd()`. */
export function follow(scroller) {
  let following = true;
  let last = 0;

  scroller.addEventListener("scroll", () => {
    const at = scroller.scrollTop;
    if (at < last) following = false;
    if (at + scroller.clientHeight >= scroller.scrollHeight - NEAR) following = true;
    last = at;
  }, { passive: true });

  function grown() {
    if (following) scroller.scrollTop = scroller.scrollHeight;
  }

  function toEnd() {
    following = true;
    grown();
  }

  return { grown, toEnd };
}
