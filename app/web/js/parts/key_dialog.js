/** Asks for the API key that the tab uses. */

import { h } from "../dom.js";
import { useKey } from "../key.js";
import { openDialog } from "./dialog.js";
import { field } from "./field.js";

// Several requests find at once that they need a key: the person is asked once, and answers for all of them.
const TOGETHER_MS = 2000;

let open = null;
let declined = -Infinity;

/** Resolves to whether a key was given; `error` is why one is needed. There is one such dialog at a time. */
export function askForKey(error = null) {
  open ??= ask(error).finally(() => { open = null; });
  return open;
}

/** Likewise for a request; a person who has just declined for another one is not asked again. */
export function askForRequest(error) {
  return performance.now() - declined < TOGETHER_MS ? Promise.resolve(false) : askForKey(error);
}

async function ask(error) {
  const key = await openDialog("API key", (close) => form(error, close));
  if (!key) {
    declined = performance.now();
    return false;
  }
  useKey(key);
  return true;
}

function form(error, close) {
  const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", autofocus: true });
  const submit = (event) => {
    event.preventDefault();
    if (input.value.trim()) close(input.value.trim());
    else input.focus();
  };
  return h(
    "form",
    { class: "stack", onsubmit: submit },
    h("p", {}, error
      ? "This server asks for a key. An admin key opens everything, a profile's key that profile alone."
      : "Requests of this tab will carry it. It is kept for this tab only."),
    field("Key", input, { hint: "Made by `costeer keys create`; it begins with costeer-." }),
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: () => close(null) }, "Cancel"),
      h("button", { class: "button main" }, "Use this key"),
    ),
  );
}
