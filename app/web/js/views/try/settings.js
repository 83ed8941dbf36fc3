/** What holds for all columns: model, temperature, length, seed, and whether exchanges are recorded. */

import { h } from "../../dom.js";
import { openDialog } from "../../parts/dialog.js";
import { check, field, select } from "../../parts/field.js";

const LARGEST_SEED = 2 ** 31 - 1;

/** Gives the button that opens them, and `values()`: `{ model, temperature, length, seed, record }`. */
export function createSettings(models) {
  const model = select(models.map((one) => [one, one]), models[0]);
  const temperature = number({ value: 0.7, min: 0, max: 2, step: 0.1, required: true });
  const length = number({ value: 300, min: 1, max: 8192, step: 1, required: true });
  const seed = number({ min: 0, max: LARGEST_SEED, step: 1, placeholder: "Another one each time" });
  const record = check("Record these exchanges in the history of profiles that record");
  const box = record.querySelector("input");
  const now = h("span", { class: "quiet settings-now" });
  const form = h(
    "form",
    { class: "stack" },
    h(
      "div",
      { class: "fields" },
      field("Model", model),
      field("Temperature", temperature, { hint: "0 to 2. 0 takes the likeliest word each time." }),
      field("Length", length, { hint: "At most so many tokens, which are words or parts of words." }),
      field("Seed", seed, { hint: "The same number draws the same words again, in all columns." }),
    ),
    h("div", {}, record, h("p", { class: "quiet" }, "Without it nothing that is tried here is kept.")),
    h("div", { class: "buttons" }, h("button", { class: "button main" }, "Done")),
  );
  const button = h("button", { class: "button small", type: "button", onclick: open }, "Settings");

  async function open() {
    await openDialog("Settings", (close) => {
      form.onsubmit = (event) => {
        event.preventDefault();
        close();
      };
      return form;
    });
    const wrong = [temperature, length, seed].filter((input) => !input.validity.valid);
    for (const input of wrong) input.value = input.defaultValue;
    tell();
  }

  function tell() {
    const kept = box.checked ? "recorded where a profile records" : "not recorded";
    now.textContent = `Temperature ${temperature.value}, up to ${length.value} tokens, ${kept}`;
  }

  function values() {
    return {
      model: model.value,
      temperature: Number(temperature.value),
      length: Number(length.value),
      seed: seed.value === "" ? Math.floor(Math.random() * LARGEST_SEED) : Number(seed.value),
      record: box.checked,
    };
  }

  tell();
  return { button, now, values };
}

function number(properties) {
  const { value = "", ...rest } = properties;
  const input = h("input", { type: "number", inputmode: "decimal", ...rest });
  input.defaultValue = String(value);
  return input;
}
