/** Whom a column may be written for, by which model, and how strongly. */

import { get, quoted } from "../../api.js";

/** The strengths to choose from, as the API takes them; "" is the profile's own, or the server's. */
export const STRENGTHS = [
  ["auto", "Strength: auto"],
  ["", "Strength: its own"],
  ...["0", "0.25", "0.5", "1", "1.5", "2", "3", "4"].map((one) => [one, `Strength: ${one}`]),
];

/** The remote's models and all profiles that the caller may see: `{ models, profiles }`. */
export async function loadChoices() {
  const [{ data }, profiles] = await Promise.all([get("/v1/models"), allProfiles()]);
  return { models: data.map(({ id }) => id), profiles };
}

async function allProfiles() {
  const found = [];
  for (;;) {
    const after = found.length ? `&after=${quoted(found.at(-1).id)}` : "";
    const { data, has_more: more } = await get(`/v1/profiles?limit=100${after}`);
    found.push(...data.map(({ id, name, default: isDefault }) => ({ id, name: name || id, isDefault })));
    if (!more || !data.length) return found;
  }
}
