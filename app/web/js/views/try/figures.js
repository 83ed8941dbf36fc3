/** What a reply cost, and what it told: under its column, live while it streams. */

import { fill, h } from "../../dom.js";

const NONE = "–";
const PAUSE = 250; // ms between looks at what is still being written

const FIGURES = [
  ["requests", "Requests"],
  ["accepted", "Accepted"],
  ["speed", "Speed"],
  ["first", "First token"],
  ["nats", "Nats told"],
  ["said", "Said first"],
];

const MEANINGS = [
  ["Requests", "how often the remote was asked to write on: once for each stretch that steering accepts."],
  ["Accepted", "the share of tokens (words or parts of words) that stay as the remote drafted them."],
  ["Speed", "tokens a second, counted by this browser from the first one on."],
  ["First token", "the time from sending until this browser had it, in milliseconds."],
  ["Nats told", "how much somebody learns, on average, who reads all that the remote was sent and knows how "
    + "steering works. The answer to one yes-or-no question is 0.69 nats."],
  ["Said first", "words of what is private that the reply was the first to say."],
];

/** Gives the element, and what is told of a reply: `begin()`, `token(tokens)`, `live()`, `show(totals)`. */
export function createFigures(explanation) {
  const values = new Map(FIGURES.map(([name]) => [name, h("dd", {}, NONE)]));
  let count = null;

  function begin() {
    count = { started: performance.now(), first: null, shown: 0, tokens: 0, changed: 0 };
    for (const value of values.values()) fill(value, NONE);
  }

  function token(tokens) {
    count.first ??= performance.now();
    count.tokens += Math.max(tokens.length, 1);
    count.changed += tokens.filter((one) => one.drafted_id !== one.chosen_id).length;
  }

  function live() {
    if (performance.now() - count.shown >= PAUSE) show();
  }

  function show(totals = null) {
    if (count?.first == null) return;
    count.shown = performance.now();
    const seconds = (performance.now() - count.first) / 1000;
    const accepted = totals?.acceptance ?? 1 - count.changed / count.tokens;
    put("first", `${Math.round(count.first - count.started).toLocaleString("en")} ms`);
    put("accepted", `${Math.round(accepted * 100)} %`);
    if (seconds > 0 && count.tokens > 1) put("speed", `${((count.tokens - 1) / seconds).toFixed(1)}/s`);
    if (totals?.disclosed === undefined) return;
    put("requests", totals.remote_requests.toLocaleString("en"));
    put("nats", totals.disclosed.nats.toFixed(2));
    put("said", totals.disclosed.said.toLocaleString("en"));
  }

  function put(name, text) {
    const value = values.get(name);
    if (value.textContent !== text) value.textContent = text;
  }

  const element = h(
    "div",
    { class: "figures" },
    h("dl", {}, FIGURES.map(([name, label]) => entry(label, values.get(name)))),
    h("button", {
      class: "button bare icon",
      type: "button",
      popovertarget: explanation,
      "aria-label": "What these figures are",
    }, "?"),
  );
  return { element, begin, token, live, show };
}

const entry = (name, value) => h("div", {}, h("dt", {}, name), value);

/** What the figures mean, as a popover that the columns share. */
export function figuresExplained(id) {
  return h(
    "div",
    { id, popover: "auto", class: "explained", role: "dialog", "aria-label": "What the figures are" },
    h("dl", {}, MEANINGS.map(([name, text]) => entry(name, h("dd", {}, text)))),
    h("button", { class: "button small", popovertarget: id, popovertargetaction: "hide" }, "Close"),
  );
}
