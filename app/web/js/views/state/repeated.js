/** Work that is done again and again while somebody looks. */

/**
 * `work` is done at once, then every `seconds`, and whenever the window regains focus; not while `element`
 * is off the page or the window out of sight. It must not throw. Gives `start()` and `stop()`.
 */
export function repeated(work, seconds, element) {
  let on = false;
  let busy = false;
  let timer = null;

  async function run() {
    clearTimeout(timer);
    if (!element.isConnected) return stop();
    if (!on || busy || document.hidden) return undefined;
    busy = true;
    await work();
    busy = false;
    if (on) timer = setTimeout(run, seconds * 1000);
    return undefined;
  }

  function stop() {
    on = false;
    clearTimeout(timer);
    window.removeEventListener("focus", run);
    document.removeEventListener("visibilitychange", run);
  }

  return {
    start() {
      on = true;
      window.addEventListener("focus", run);
      document.addEventListener("visibilitychange", run);
      run();
    },
    stop,
  };
}
