/** The doctor's findings, as they come in, each with what mends it. */

import { stream } from "../../api.js";
import { fill, h } from "../../dom.js";
import { copyButton } from "../../parts/copy.js";
import { counted } from "../../parts/counted.js";
import { createProgress } from "../../parts/progress.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";

const STATES = {
  ok: ["In order", "good"],
  warning: ["Could be better", "warn"],
  failed: ["Failed", "bad"],
  skipped: ["Not looked at", ""],
};
const LABELS = {
  "local weights": "Small model's files",
  "embedded weights": "Remote model's files",
  disk: "Room on the disk",
  torch: "PyTorch",
  device: "Processor",
  access: "Who may ask",
  "api key": "Remote's key",
  model: "Remote's model",
  logprobs: "Remote's probabilities",
  "round trip": "Way to the remote and back",
  "prefix cache": "Remote's memory of prompts",
  "re-request": "What a token costs that steering changes",
  tokenizer: "Tokens",
  "chat template": "Form of conversations",
};
const LEAD = "What `costeer doctor` finds, as far as it can be seen while the server runs.";

/** Gives the element, and `begin()`, which examines the server and shows what it finds. */
export function createExamination() {
  const summary = h("p", { class: "quiet" }, LEAD);
  const button = h("button", { class: "button small", type: "button", onclick: press }, "Examine again");
  const progress = createProgress("Examining …");
  const urgent = h("ul", { class: "plain lines", hidden: true });
  const list = h("ul", { class: "plain lines" });
  const others = h("ul", { class: "plain lines" });
  const skipped = h("details", { hidden: true }, h("summary", {}), others);
  const problem = h("div", { hidden: true });
  const shown = new Map();
  let stopping = null;

  function press() {
    if (stopping) stopping.abort();
    else begin({ asked: true });
  }

  async function begin({ asked = false } = {}) {
    if (stopping) return;
    stopping = new AbortController();
    working(true);
    problem.hidden = true;
    const options = { method: "GET", signal: stopping.signal };
    try {
      for await (const { data } of stream("/v1/doctor?stream=true", undefined, options)) {
        if (data.object === "doctor.finding") put(data);
        else finish(data, asked);
      }
    } catch (error) {
      fill(problem, error.name === "AbortError" ? h("p", {}, "Stopped.") : trouble(error, { retry: press }));
      problem.hidden = false;
    }
    stopping = null;
    working(false);
  }

  function working(on) {
    progress.element.hidden = !on;
    summary.hidden = on;
    button.textContent = on ? "Stop" : "Examine again";
  }

  function put(finding) {
    const made = item(finding);
    const old = shown.get(finding.name);
    const place = { ok: list, skipped: others }[finding.state] ?? urgent;
    if (old?.parentNode === place) old.replaceWith(made);
    else {
      old?.remove();
      place.append(made);
    }
    shown.set(finding.name, made);
    count();
  }

  function count() {
    skipped.hidden = others.children.length === 0;
    urgent.hidden = urgent.children.length === 0;
    skipped.firstChild.textContent = `${others.children.length} not looked at`;
  }

  function finish({ ok, findings }, asked) {
    const named = new Set(findings.map(({ name }) => name));
    for (const [name, element] of shown) {
      if (!named.has(name)) element.remove();
    }
    count();
    summary.textContent = inAll(findings);
    if (asked || !ok) say(ok ? "Examined: nothing has failed." : `Examined: ${inAll(findings)}`);
  }

  const element = h(
    "section",
    { class: "card stack examination" },
    h("div", { class: "row" }, h("h2", { class: "grow" }, "Examination"), button),
    h("div", { class: "so-far" }, summary, progress.element),
    problem,
    urgent,
    list,
    skipped,
  );
  return { element, begin };
}

/** "14 in order, 1 failed." */
function inAll(findings) {
  const count = (state) => findings.filter((finding) => finding.state === state).length;
  const told = [
    [count("failed"), "failed"],
    [count("warning"), "could be better"],
    [count("ok"), "in order"],
  ].filter(([number]) => number > 0);
  return `${told.map(([number, words]) => counted(number, words, words)).join(", ")}.`;
}

function item({ name, state, seen, mend }) {
  const [label, kind] = STATES[state];
  const title = LABELS[name] ?? name.charAt(0).toUpperCase() + name.slice(1);
  return h(
    "li",
    { class: "line", data: { state } },
    h("span", { class: `tag ${kind}` }, label),
    h(
      "div",
      {},
      h("p", {}, h("strong", {}, title)),
      h("p", {}, seen),
      mend && remedy(state === "skipped" ? "To see it: " : "To mend it: ", mend),
    ),
  );
}

/** A remedy; one that is a command can be copied. */
function remedy(label, mend) {
  const command = /^(costeer|chmod|make) [^,]+$/.test(mend);
  return h(
    "p",
    { class: "mend" },
    h("strong", {}, label),
    command ? [h("code", {}, mend), " ", copyButton("Command", () => mend)] : mend,
  );
}
