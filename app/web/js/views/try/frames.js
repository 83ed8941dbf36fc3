/** Work on the page, once a frame: streams come faster than a screen is drawn. */

// What reads where things are comes behind all that adds, so that the page is laid out once a frame.
const works = { adds: new Set(), reads: new Set() };
let asked = false;

/** Calls `work` before the next frame is drawn, once, however often it is asked for. */
export function onNextFrame(work, kind = "adds") {
  works[kind].add(work);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    try {
      run(works.adds);
      run(works.reads);
    } finally {
      asked = false;
    }
  });
}

function run(set) {
  for (const work of set) {
    set.delete(work);
    work();
  }
}
