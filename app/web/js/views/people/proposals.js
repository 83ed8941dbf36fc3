/** The tab Proposals: what a profile could say, as its history suggests, to accept, change or leave. */

import { stream, quoted } from "../../api.js";
import { fill, h } from "../../dom.js";
import { select } from "../../parts/field.js";
import { createProgress } from "../../parts/progress.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";
import { createProfileStore } from "./profile_store.js";
import { createProposal } from "./proposal.js";
import { counted, saved } from "./words.js";

const STAGES = {
  reading: "Reading the texts",
  fields: "Looking for facts",
  preferences: "Looking for preferences",
};
const TIMES = [["60", "1 minute"], ["120", "2 minutes"], ["300", "5 minutes"], ["600", "10 minutes"]];

/** Proposals for `profile`, which are made when the person asks for them. */
export function proposalsView(profile) {
  const store = createProfileStore(profile);
  const heading = h("h2", { tabindex: "-1" }, "Proposals");
  const time = select(TIMES, "120", { class: "narrow" });
  const draft = h("button", { class: "button main", type: "button", onclick: () => run() }, "Look through the history");
  const ask = h("div", { class: "row" }, draft, h("label", { class: "row quiet" }, "for at most", time));
  const place = h("div", { class: "stack" });
  let going = null;

  async function run() {
    going = new AbortController();
    const progress = createProgress("Beginning");
    const stop = h("button", { class: "button", type: "button", onclick: () => going.abort() }, "Stop");
    ask.hidden = true;
    fill(place, progress.element, h("div", { class: "buttons" }, stop));
    stop.focus();
    try {
      const found = await drafted(progress, going.signal);
      show(found);
      heading.focus();
    } catch (error) {
      fill(place, error.name === "AbortError" ? h("p", { class: "quiet" }, "Stopped. Nothing was changed.")
        : trouble(error, { title: "No proposals", retry: run }));
      ask.hidden = false;
      draft.focus();
    }
    ask.hidden = false;
    draft.textContent = "Look again";
  }

  async function drafted(progress, signal) {
    let found = null;
    const path = `/v1/profiles/${quoted(profile.id)}/proposals`;
    for await (const { data } of stream(path, { seconds: Number(time.value), stream: true }, { signal })) {
      if (data.object === "proposals") found = data;
      else progress.set(`${STAGES[data.stage]}: ${data.done} of ${data.total}`, data.done, data.total);
    }
    return found;
  }

  function show({ data, texts, cut }) {
    const said = `${counted(data.length, "proposal")} from ${counted(texts, "text")}.${cut ? " The time was over before all was looked at." : ""}`;
    say(said);
    fill(place, h("p", { class: "quiet" }, said), data.length > 0 && createList(store, data, heading));
  }

  return h("div", { class: "stack proposals" },
    h("div", {}, heading, h("p", { class: "quiet lead" },
      "The small model on this device looks for what the texts say of the person and of how they like replies. Nothing is "
      + "stored until you accept it, and nothing leaves the device.")),
    ask,
    place);
}

/** The proposals, each with its acts, and what is done with those that are chosen. */
function createList(store, data, heading) {
  const list = h("ol", { class: "plain proposal-list", "aria-label": "Proposals" });
  const accept = h("button", { class: "button main", type: "button", onclick: () => acceptAll() });
  const every = h("input", { type: "checkbox", onchange: () => chooseAll() });
  const bar = h("div", { class: "row choose" }, h("label", { class: "check" }, every, h("span", {}, "Choose all")), accept);
  let rows = data.map((one) => createProposal(one, store.profile, {
    chosen: () => draw(),
    accept: (row) => keep([row]),
    reject: (row) => leave([row], "Left out, on this page only."),
  }));

  function draw() {
    const number = rows.filter((row) => row.chosen).length;
    accept.textContent = number ? `Accept ${counted(number, "proposal")}` : "Accept those chosen";
    accept.disabled = number === 0;
    every.checked = rows.length > 0 && number === rows.length;
    every.indeterminate = number > 0 && number < rows.length;
    bar.hidden = rows.length < 2;
  }

  function chooseAll() {
    for (const row of rows) row.chosen = every.checked;
    draw();
  }

  const acceptAll = () => keep(rows.filter((row) => row.chosen));

  /** One after the other, so that two values of one fact stand beside each other. */
  async function keep(chosen) {
    const done = [];
    for (const row of chosen) {
      if (!await saved(() => store.change(row.patch), "Accepted.")) break;
      done.push(row);
    }
    if (done.length) leave(done, done.length === 1 ? `Accepted: ${done[0].name}.` : `Accepted: ${counted(done.length, "proposal")}.`);
  }

  function leave(gone, words) {
    const last = rows.indexOf(gone.at(-1));
    const next = rows.slice(last + 1).find((row) => !gone.includes(row)) ?? rows.findLast((row) => !gone.includes(row));
    rows = rows.filter((row) => !gone.includes(row));
    for (const row of gone) row.element.remove();
    say(words);
    draw();
    if (next) next.focus();
    else heading.focus();
  }

  fill(list, rows.map((row) => row.element));
  draw();
  return h("div", { class: "stack" }, bar, list);
}
