/** A field that is saved as it is left, and that keeps what was typed until it is. */

import { setMistake } from "../../parts/field.js";
import { say } from "../../parts/status.js";
import { reason } from "./words.js";

/**
 * Makes `element`, a field, save itself by `save(value)`, unless `wrong()` says what is wrong with it. Gives the
 * element, and `draw(profile)`, which puts in what `read(profile)` gives.
 */
export function keptField(element, { wrong, read, save }) {
  const input = element.querySelector("input");
  let typed = false; // and not saved

  async function keep() {
    const value = input.value;
    setMistake(element, wrong());
    if (wrong()) return;
    try {
      await save(value);
      typed = input.value !== value;
      say("Saved.");
    } catch (error) {
      setMistake(element, `Not saved. ${reason(error)} Then press Enter here.`);
    }
  }

  input.addEventListener("input", () => { typed = true; });
  input.addEventListener("change", keep);
  // Where nothing was changed since, the browser itself tells of no change.
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && input.hasAttribute("aria-invalid")) keep();
  });
  return {
    element,
    draw(profile) {
      if (!typed) input.value = read(profile);
    },
  };
}
