/** The last hour: how many replies, how fast, and how much of the remote's draft was kept. */

import { get } from "../../api.js";
import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { trouble } from "../../parts/trouble.js";
import { createChart } from "./chart.js";
import { percent, seconds, tenths } from "./words.js";

const CHARTS = [
  {
    title: "Tokens",
    hint: "What replies had, in each minute. A token is a word or a piece of one.",
    value: (minute) => minute.tokens,
    words: (number) => counted(number, "token"),
  },
  {
    title: "Kept",
    hint: "The share of steered replies that stayed as the remote drafted it. Steering changed the rest.",
    value: (minute) => minute.acceptance,
    words: percent,
    most: 1,
  },
  {
    title: "Speed",
    hint: "How fast a reply was written, once it had begun.",
    value: (minute) => minute.tokens_per_second,
    words: (number) => `${tenths(number)} tokens/s`,
    inAll: "on average in the last hour",
  },
  {
    title: "First token",
    hint: "How long a reply took to begin: from the request to its first token, waiting for its turn included.",
    value: (minute) => minute.first_token,
    words: seconds,
    inAll: "or less for half of the replies",
  },
];
const NOTHING = "No reply was written in the last hour. The next ones are counted here, minute by minute.";

/** Gives the element, and `refresh()`, which asks the server; it does not throw. */
export function createHour() {
  const summary = h("p", { class: "quiet" }, "Asking …");
  const problem = h("div", { hidden: true });
  const charts = CHARTS.map(createChart);
  const grid = h("div", { class: "charts", hidden: true }, charts.map(({ element }) => element));

  async function refresh() {
    try {
      const { data, total } = await get("/v1/activity", { quiet: true });
      problem.hidden = true;
      summary.hidden = false;
      summary.textContent = inWords(total);
      grid.hidden = total.replies === 0;
      for (const chart of charts) chart.set(data, total);
    } catch (error) {
      if (problem.hidden) fill(problem, trouble(error, { title: "The last hour is not known", retry: refresh }));
      problem.hidden = false;
      summary.hidden = grid.hidden; // nothing is known yet, not even that
    }
  }

  const element = h("section", { class: "stack" }, h("h2", {}, "Last hour"), summary, problem, grid);
  return { element, refresh };
}

function inWords({ replies, steered, tokens, errors }) {
  const failed = errors === 0 ? "none failed" : `${counted(errors, "request")} failed`;
  if (replies === 0) return errors === 0 ? NOTHING : `${NOTHING} In that time ${failed}.`;
  const some = steered === replies ? "all steered" : `${steered} of them steered`;
  return `${counted(replies, "reply", "replies")}, ${some}; ${counted(tokens, "token")}; ${failed}.`;
}
