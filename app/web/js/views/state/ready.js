/** Whether replies can be written now: each part, and why it is not ready. */

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";
import { timeOf } from "./words.js";

const PARTS = {
  remote: ["Remote", "the model that writes", "Start the remote, or correct COSTEER_REMOTE_BASE_URL."],
  tokenizer: [
    "Tokens",
    "how both models cut text into pieces",
    "Set COSTEER_REMOTE_TOKENIZER to the hub name or folder of the remote's model.",
  ],
  local_model: ["Small model", "the model on this device, which reads the profile", "Start the server again."],
  database: [
    "Database",
    "profiles, histories and keys",
    "Make room on the disk, or end other programs that use it.",
  ],
  state: [
    "Shared state",
    "what the workers keep of conversations",
    "Make room on the disk, or end other programs that use it.",
  ],
};
const SAME = "Both models cut text into the same tokens.";

/** Gives the element, and `refresh()`, which asks the server and calls `told(answer)`; it does not throw. */
export function createReady(told) {
  const verdict = h("span", { class: "tag" }, "Asking …");
  const body = h("div", { class: "stack tight" });
  const asOf = h("p", { class: "quiet" });
  let before = null;
  let shown = "";

  async function refresh() {
    try {
      show(await get("/ready", { answers: [503] }));
    } catch (error) {
      mark("Away", "bad");
      renew(error.message, () => trouble(error, { title: "The server's state is not known", retry: refresh }));
    }
  }

  function show(answer) {
    const well = answer.status === "ready";
    mark(well ? "Ready" : "Not ready", well ? "good" : "bad");
    renew(JSON.stringify(answer), () => [parts(answer.parts), facts(answer)]);
    asOf.textContent = `As of ${timeOf(Date.now() / 1000, { exactly: true })}; looked at again every few seconds.`;
    told(answer);
  }

  /** What is the same stays, with its focus and what is selected of it. */
  function renew(said, content) {
    if (said === shown) return;
    shown = said;
    fill(body, content());
  }

  function mark(text, kind) {
    verdict.className = `tag ${kind}`;
    verdict.textContent = text;
    if (before !== null && before !== text) say(`State: ${text.toLowerCase()}.`);
    before = text;
  }

  const heading = h("div", { class: "row" }, h("h2", { class: "grow" }, "Ready for replies"), verdict);
  return { element: h("section", { class: "card stack" }, heading, body, asOf), refresh };
}

function parts(all) {
  return h("ul", { class: "plain lines" }, Object.entries(all).map(([name, part]) => line(
    name,
    part,
    name === "tokenizer" && !all.remote.ready,
  )));
}

/** With `waits` the part waits for another one, and there is nothing to mend in itself. */
function line(name, { ready, reason }, waits) {
  const [label, meaning, mend] = PARTS[name] ?? [name, "", ""];
  return h(
    "li",
    { class: "line" },
    h("span", { class: `tag ${ready ? "good" : "bad"}` }, ready ? "Ready" : "Not ready"),
    h(
      "div",
      {},
      h("p", {}, h("strong", {}, label), meaning && h("span", { class: "quiet" }, ` · ${meaning}`)),
      reason && h("p", {}, reason.replace(/ \([a-z]+_[a-z_]+\)$/, "")), // without the error's code
      reason && !waits && mend && h("p", { class: "quiet" }, mend),
    ),
  );
}

function facts({ alignment, proxy, remotes }) {
  const tokens = { null: "Not compared yet.", identity: SAME }[alignment] ?? `Matched by ${alignment}.`;
  return h(
    "dl",
    { class: "facts" },
    h("dt", {}, "Alignment"),
    h("dd", {}, tokens),
    h("dt", {}, "Proxy"),
    h("dd", {}, proxy ?? "None"),
    remotes && h("dt", {}, "Remotes"),
    remotes && h("dd", {}, remotes.map((state, index) => `${index + 1}: ${state}`).join(", ")),
  );
}
