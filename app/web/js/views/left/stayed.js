/** What stayed of a person, in words. */

import { h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { spaced } from "./fields.js";

const ON_DEVICE = ["presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias"];
const NONE = "There are none.";
const NONE_SET = "None were set.";

/** Words for what stayed; `preview` is that of the same conversation. */
export function stayed(preview, costeer, request) {
  const fields = preview.levels.filter(({ what }) => what === "field");
  const keys = [...new Set(fields.map(({ key }) => key))];
  const rows = [
    ["The name of the profile", named(preview)],
    ["Facts", keys.length ? keys.join(", ") : NONE],
    ["Preferences", listed(preview.preferences, ({ text, included }) => `${text}${room(included)}`)],
    ["History", passages(preview)],
    ["What the small model read", reading(preview)],
    ...(costeer.steered ? steering(costeer, request) : []),
    ["Keys of this server", "They are for this server alone."],
  ];
  return h("dl", { class: "stayed" }, rows.map(([term, text]) => (
    h("div", {}, h("dt", {}, term), h("dd", {}, text))
  )));
}

function steering({ strength }, request) {
  const set = ON_DEVICE.filter((name) => request[name] !== undefined && request[name] !== null);
  return [
    ["Strength", `${strength}: how strongly the small model steers`],
    ["Penalties and biases", set.length ? `${set.map(spaced).join(", ")}: applied on the device` : NONE_SET],
  ];
}

function named(preview) {
  const name = preview.levels.find(({ what, key, item }) => what === "name" && key === null && item === null);
  return name ? name.text : preview.profile;
}

function listed(all, text) {
  return all.length ? h("ul", {}, all.map((one) => h("li", {}, text(one)))) : NONE;
}

function passages({ history }) {
  if (!history.length) return "No passage of it was chosen.";
  const titles = listed(history, (one) => (one.title || one.text.slice(0, 60)) + room(one.included));
  return [h("p", {}, "Passages of these texts were chosen; no other was read:"), titles];
}

const room = (included) => (included ? "" : " (there was no room for it)");

function reading({ prompts, private: { tokens } }) {
  if (!prompts.length) return "Nothing: at this strength it was not asked.";
  return `${counted(prompts.length * 2, "prompt")}, with up to ${counted(tokens, "token")} about the person`;
}
