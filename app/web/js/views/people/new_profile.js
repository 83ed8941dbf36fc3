/** A new profile: its name, and the id that apps call it by. */

import { post } from "../../api.js";
import { h } from "../../dom.js";
import { openDialog } from "../../parts/dialog.js";
import { field, setMistake } from "../../parts/field.js";
import { onSubmit } from "../../parts/once.js";
import { inWords } from "../../parts/trouble.js";
import { NAME_LENGTH } from "./profile_store.js";

const ID = /^[a-z0-9_-]{1,64}$/;
const ID_LENGTH = 64;
const ID_HINT = "Apps name the profile by it. It is not private: small letters, digits, - and _.";

/** Asks for a new profile and makes it; resolves to it, or to null. */
export function newProfile() {
  return openDialog("New profile", form);
}

/** An id of the letters of a name: "isabel-martinez" of "Isabel Martínez"; empty where it has none. */
export function idFrom(name) {
  return name.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^a-z0-9_]+/g, "-")
    .replace(/^-+|-+$/g, "").slice(0, ID_LENGTH);
}

function form(close, leave) {
  const { name, id, fields } = inputs();
  const [nameField, idField] = fields;
  const failure = h("p", { class: "mistake", role: "alert" });

  async function submit() {
    failure.textContent = "";
    setMistake(nameField, name.value.trim() ? "" : "A profile needs a name.");
    setMistake(idField, ID.test(id.value) ? "" : "1 to 64 small letters, digits, - and _, like isabel.");
    const wrong = element.querySelector("[aria-invalid]");
    if (wrong) {
      wrong.focus();
      return;
    }
    try {
      close(await post("/v1/profiles", { id: id.value, name: name.value.trim() }));
    } catch (error) {
      if (error.code === "profile_exists") {
        setMistake(idField, "There is a profile of this id already. Choose another.");
        id.focus();
      } else {
        failure.textContent = inWords(error);
      }
    }
  }

  const element = h(
    "form",
    { class: "stack", novalidate: true, onsubmit: onSubmit(submit) },
    fields,
    failure,
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: leave }, "Cancel"),
      h("button", { class: "button main" }, "Make it"),
    ),
  );
  return element;
}

/** The two inputs; the id follows the name until somebody writes one. */
function inputs() {
  let own = false;
  const id = h("input", {
    maxlength: ID_LENGTH, autocomplete: "off", autocapitalize: "none", spellcheck: "false",
    oninput: () => { own = id.value !== ""; },
  });
  const name = h("input", {
    maxlength: NAME_LENGTH, autocomplete: "off", dir: "auto", autofocus: true,
    oninput: () => { if (!own) id.value = idFrom(name.value); },
  });
  const fields = [field("Name", name, { hint: "As you sign." }), field("Id", id, { hint: ID_HINT })];
  return { name, id, fields };
}
