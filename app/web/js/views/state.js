/** The view State: whether all is in order, what mends what is not, and how the last hour was. */

import { mayManage } from "../caller.js";
import { fill, h } from "../dom.js";
import { keyInUse } from "../key.js";
import { askForKey } from "../parts/key_dialog.js";
import { trouble } from "../parts/trouble.js";
import { createExamination } from "./state/examination.js";
import { createHour } from "./state/hour.js";
import { createReady } from "./state/ready.js";
import { repeated } from "./state/repeated.js";

const READY_SECONDS = 5;
const HOUR_SECONDS = 15;
const CLOSED = "The last hour and the examination tell of the whole server. This tab's key opens one profile "
  + "only: an admin key shows them.";
const STRANGE = "The rest is not told at this address without a key. Open the page at 127.0.0.1, with this "
  + "server's port, on the machine where it runs; or use an admin key.";

/** Makes the view: its element, and what is done when it is shown and hidden. */
export function createState() {
  const version = h("span", {});
  const ready = createReady((answer) => { version.textContent = `CoSteer ${answer.version}`; });
  const rest = h("div", { class: "stack wide" });
  const lead = h("p", {}, "Whether all is in order, and how it is doing.");
  const element = h(
    "section",
    { class: "view narrow state" },
    h("header", {}, h("h1", { tabindex: "-1" }, "State"), lead),
    h("div", { class: "stack wide" }, ready.element, rest, about(version)),
  );
  const watches = [repeated(ready.refresh, READY_SECONDS, element)];
  let asked = false;

  async function whole() {
    asked = true;
    try {
      fill(rest, (await mayManage()) ? opened() : h("p", { class: "closed" }, keyInUse() ? CLOSED : STRANGE));
    } catch (error) {
      asked = false;
      fill(rest, refused(error, whole));
    }
  }

  function opened() {
    const hour = createHour();
    const examination = createExamination();
    const watch = repeated(hour.refresh, HOUR_SECONDS, element);
    watches.push(watch);
    watch.start();
    examination.begin();
    return [hour.element, examination.element];
  }

  return {
    element,
    shown() {
      for (const watch of watches) watch.start();
      if (!asked) whole();
    },
    hidden() {
      for (const watch of watches) watch.stop();
    },
  };
}

function refused(error, again) {
  if (error.status !== 401) return trouble(error, { retry: again });
  const ask = () => askForKey(error);
  return trouble(error, { title: "The rest is for who has a key", retry: ask, act: "Use a key" });
}

function about(version) {
  return h(
    "footer",
    { class: "row imprint" },
    version,
    h("a", { href: "/docs" }, "The API, to read and to try"),
  );
}
