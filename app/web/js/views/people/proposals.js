/** The tab Proposals: what a profile could say, as its history suggests, to accept, change or leave. */

import { stream, quoted } from "../../api.js";
import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { select } from "../../parts/field.js";
import { createProgress } from "../../parts/progress.js";
import { once } from "../../parts/once.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";
import { createProposal } from "./proposal.js";
import { isolated, saved } from "./words.js";

const STAGES = {
  reading: "Reading the texts",
  fields: "Looking for facts",
  preferences: "Looking for preferences",
};
const TIMES = [["60", "1 minute"], ["120", "2 minutes"], ["300", "5 minutes"], ["600", "10 minutes"]];
const LEAD = "The small model on this device looks for what the texts say of the person and of how they like "
  + "replies. Nothing is stored until you accept it, and nothing leaves the device.";

/** Proposals for the profile in `store`, which are made when the person asks for them. */
export function proposalsView(store) {
  const heading = h("h2", { tabindex: "-1" }, "Proposals");
  const time = select(TIMES, "120", { class: "narrow" });
  const press = { class: "button main", type: "button", onclick: () => run() };
  const draft = h("button", press, "Look through the history");
  const ask = h("div", { class: "row" }, draft, h("label", { class: "row quiet" }, "for at most", time));
  const place = h("div", { class: "stack" });

  async function run() {
    const going = new AbortController();
    const progress = createProgress("Beginning");
    const stop = h("button", { class: "button", type: "button", onclick: () => going.abort() }, "Stop");
    ask.hidden = true;
    fill(place, progress.element, h("div", { class: "buttons" }, stop));
    stop.focus();
    try {
      show(await drafted(store.profile, Number(time.value), progress, going.signal));
    } catch (error) {
      fail(error);
    }
    draft.textContent = "Look again";
  }

  function show({ data, texts, cut }) {
    const late = cut ? " The time was over before all was looked at." : "";
    const words = `${counted(data.length, "proposal")} from ${counted(texts, "text")}.${late}`;
    say(words);
    fill(place, h("p", { class: "quiet" }, words), data.length > 0 && createList(store, data, heading));
    ask.hidden = false;
    heading.focus();
  }

  function fail(error) {
    const stopped = error.name === "AbortError";
    fill(place, stopped
      ? h("p", { class: "quiet" }, "Stopped. Nothing was changed.")
      : trouble(error, { title: "No proposals", retry: run }));
    ask.hidden = false;
    draft.focus();
  }

  return h("div", { class: "stack proposals" },
    h("div", {}, heading, h("p", { class: "quiet lead" }, LEAD)), ask, place);
}

/** What the server finds within the seconds, with its progress. Throws as `stream` does. */
async function drafted(profile, seconds, progress, signal) {
  const path = `/v1/profiles/${quoted(profile.id)}/proposals`;
  let found = null;
  for await (const { data } of stream(path, { seconds, stream: true }, { signal })) {
    if (data.object === "proposals") found = data;
    else progress.set(`${STAGES[data.stage]}: ${data.done} of ${data.total}`, data.done, data.total);
  }
  return found;
}

/** The proposals, each with its acts, and what is done with those that are chosen. */
function createList(store, data, heading) {
  const list = h("ol", { class: "plain proposal-list", "aria-label": "Proposals" });
  const bar = createBar(() => rows, () => keep(rows.filter((row) => row.chosen)));
  let rows = data.map((one) => createProposal(one, {
    chosen: () => bar.draw(),
    accept: (row) => keep([row]),
    reject: (row) => leave([row], "Left out, on this page only."),
  }));

  /** One after the other, so that two values of one fact stand beside each other. */
  const keep = once(async (chosen) => {
    const done = [];
    for (const row of chosen) {
      if (!await saved(() => store.change(row.patch), "Accepted.")) break;
      done.push(row);
    }
    const what = done.length === 1 ? done[0].name : counted(done.length, "proposal");
    if (done.length) leave(done, `Accepted: ${isolated(what)}.`);
  });

  function leave(gone, words) {
    const stays = (row) => !gone.includes(row);
    const last = rows.indexOf(gone.at(-1));
    const next = rows.slice(last + 1).find(stays) ?? rows.findLast(stays);
    rows = rows.filter(stays);
    for (const row of gone) row.element.remove();
    say(words);
    bar.draw();
    if (next) next.focus();
    else heading.focus();
  }

  fill(list, rows.map((row) => row.element));
  bar.draw();
  return h("div", { class: "stack" }, bar.element, list);
}

/** Chooses all proposals at once, and accepts those that are chosen. */
function createBar(rowsOf, acceptChosen) {
  const accept = h("button", { class: "button main", type: "button", onclick: acceptChosen });
  const every = h("input", { type: "checkbox", onchange: () => chooseAll() });
  const all = h("label", { class: "check" }, every, h("span", {}, "Choose all"));
  const element = h("div", { class: "row" }, all, accept);

  function chooseAll() {
    for (const row of rowsOf()) row.chosen = every.checked;
    draw();
  }

  function draw() {
    const rows = rowsOf();
    const number = rows.filter((row) => row.chosen).length;
    accept.textContent = number ? `Accept ${counted(number, "proposal")}` : "Accept those chosen";
    accept.disabled = number === 0;
    every.checked = rows.length > 0 && number === rows.length;
    every.indeterminate = number > 0 && number < rows.length;
    element.hidden = rows.length < 2;
  }

  return { element, draw };
}
