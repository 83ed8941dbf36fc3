/** Starts the page: the views, and the tab's key. */

import { whenKeyIsNeeded } from "./api.js";
import { mayManage } from "./caller.js";
import { fill, h } from "./dom.js";
import { keyInUse, onKeyChange, useKey } from "./key.js";
import { askForKey, askForRequest } from "./parts/key_dialog.js";
import { startRouter } from "./router.js";

// Each view's modules come when it is first seen.
const views = [
  { name: "try", label: "Try", load: async () => (await import("./views/try.js")).createTry },
  { name: "people", label: "People", load: async () => (await import("./views/people.js")).createPeople },
  { name: "keys", label: "Keys", load: async () => (await import("./views/keys.js")).createKeys },
  { name: "state", label: "State", load: async () => (await import("./views/state.js")).createState },
];

function showKey() {
  const forget = () => useKey(null);
  fill(
    document.querySelector(".top-end"),
    keyInUse()
      ? h("button", { class: "button bare small", type: "button", onclick: forget }, "Forget key")
      : h("button", { class: "button bare small", type: "button", onclick: () => askForKey() }, "Use a key"),
  );
}

/** The view Keys is there for those only who may manage them; a profile's key may not. */
async function showKeysView() {
  const link = document.querySelector("[data-view=keys]");
  link.hidden = !await mayManage().catch(() => true); // the view itself says what is wrong
  if (link.hidden && location.hash === "#keys") location.hash = "#people";
}

// A file that is dropped beside its place must not take the place of the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

whenKeyIsNeeded(askForRequest);
showKey();
const restart = startRouter(document.querySelector("main"), document.querySelector(".views"), views);
onKeyChange(() => {
  showKey();
  restart();
  showKeysView();
});
showKeysView();
