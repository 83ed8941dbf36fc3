/** A new key: the form that asks for it, and the dialog that shows it once. */

import { post } from "../../api.js";
import { fill, h } from "../../dom.js";
import { useKey } from "../../key.js";
import { copyButton } from "../../parts/copy.js";
import { openDialog } from "../../parts/dialog.js";
import { field, select } from "../../parts/field.js";
import { onSubmit } from "../../parts/once.js";
import { say } from "../../parts/status.js";
import { inWords } from "../../parts/trouble.js";
import { snippets } from "./snippets.js";

const LABEL_LENGTH = 200;
const ADMIN = ""; // no profile's id is empty
const OPENS = "An app with a profile's key writes like that person, and reads and changes that profile "
  + "alone.";
const FIRST = "It is the first admin key: from then on every request needs a key, those of apps that have "
  + "none now and of this page too.";
const ONCE = "Copy it now; what is kept is its hash, which opens nothing.";
const USED = "This tab uses the key until it is closed. In another one the page asks for it.";

/**
 * Asks what the key is for, makes it and shows it. `profiles` are those that there are, and `closed` says
 * whether requests need a key already. Resolves to whether one was made.
 */
export async function newKey(profiles, closed) {
  const made = await openDialog("New key", (...ends) => form(profiles, closed, ...ends));
  if (!made) return false;
  await openDialog("The key is made", (close) => shown(made, close), { wide: true });
  return true;
}

function form(profiles, closed, close, leave) {
  const options = [...profiles.map(({ id, name }) => [id, name]), [ADMIN, "Everything (an admin key)"]];
  const opens = select(options, options[0][0], { onchange: () => warnOfAdmin() });
  const label = h("input", { maxlength: LABEL_LENGTH, autocomplete: "off", dir: "auto", autofocus: true });
  const consequence = h("p", { class: "consequence", role: "status" });
  const failure = h("p", { class: "mistake", role: "alert" });

  function warnOfAdmin() {
    consequence.textContent = opens.value === ADMIN && !closed ? FIRST : "";
  }

  async function submit() {
    const what = opens.value === ADMIN ? { admin: true } : { profile: opens.value };
    try {
      close(await post("/v1/keys", { ...what, label: label.value.trim() }));
    } catch (error) {
      failure.textContent = inWords(error);
    }
  }

  warnOfAdmin();
  return h(
    "form",
    { class: "stack", novalidate: true, onsubmit: onSubmit(submit) },
    field("Label", label, { hint: "A note for yourself: which app has it." }),
    field("What it opens", opens, { hint: OPENS }),
    consequence,
    failure,
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: leave }, "Cancel"),
      h("button", { class: "button main" }, "Make the key"),
    ),
  );
}

function shown(made, close) {
  const key = h("input", {
    class: "secret", readonly: true, value: made.secret, autofocus: true, onfocus: () => key.select(),
  });
  const done = h("button", { class: "button main", type: "button", onclick: () => close() }, "Done");
  return h(
    "div",
    { class: "stack" },
    h("p", {}, h("strong", {}, "It is shown this once only. "), ONCE),
    h("div", { class: "secret-row" }, field("Key", key), copyButton("Key", () => made.secret, "Copy key")),
    made.closes && needsKey(made.secret),
    h("h3", {}, "For an app"),
    snippets(made.secret),
    h("div", { class: "buttons" }, done),
  );
}

/** Says that the page itself needs a key now, and lets it use this one. */
function needsKey(secret) {
  const element = h("div", { class: "card stack tight" });
  const use = () => {
    useKey(secret);
    say("This tab uses the key.");
    fill(element, h("p", { tabindex: "-1" }, USED));
    element.firstElementChild.focus();
  };
  const button = h("button", { class: "button", type: "button", onclick: use }, "Use this key in this tab");
  return fill(
    element,
    h("p", {}, "From now on every request needs a key, this page's too."),
    h("div", { class: "buttons start" }, button),
  );
}
