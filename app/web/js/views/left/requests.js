/** The requests of a reply in their order, each with what was new in it, and a search in them. */

import { fill, h } from "../../dom.js";
import { copyButton } from "../../parts/copy.js";
import { counted } from "../../parts/counted.js";
import { field } from "../../parts/field.js";
import { asked, purpose } from "./fields.js";
import { markedText } from "./marked.js";
import { words } from "./sent.js";

const FEW = 5; // requests that are all open at first
const MOST_OPENED = 20; // by a search
const GLIMPSE = 120; // characters of a closed request
const MOST_TEXTS = 16; // as many as a request may have choices
const BEFORE = 160; // characters of what the remote had already, in front of what is new

/** The list of a reply's requests; `sent` is that of sent.js. It is closed at first where it is long. */
export function requestList(sent) {
  const items = sent.requests.map((_, at) => requestItem(sent, at));
  const isLong = items.length > FEW;
  const list = h("ol", { class: "plain requests" }, items.map(({ element }) => element));
  const title = `${counted(items.length, "request")}, one by one`;
  const holder = isLong ? h("details", { class: "all" }, h("summary", {}, title), list) : list;
  const found = h("output", { class: "quiet" });
  const search = h("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  search.addEventListener("input", () => {
    if (isLong && search.value.trim()) holder.open = true;
    narrow(items, search.value.trim().toLowerCase(), found);
  });
  if (!isLong) items.forEach((item) => item.toggle(true));
  const copy = copyButton("Requests", () => JSON.stringify(sent.requests, null, 2), "Copy as JSON");
  return h(
    "div",
    { class: "stack" },
    h("div", { class: "left-tools" }, field("Search in the requests", search), found, copy),
    holder,
  );
}

/** All that the drafts told the remote, put together, with a seam where each request's part begins. */
export function together(sent) {
  return sent.ends.slice(0, MOST_TEXTS).map((end, number) => fill(
    box(sent.ends.length > 1 ? `Text ${number + 1} of ${sent.ends.length}` : "The text, put together"),
    sent.chain(end).map((at, step) => (
      h("span", { class: step ? "seam" : null }, markedText(sent.requests[at].text))
    )),
  ));
}

/** Shows the requests that have `wanted` in what is new in them. */
function narrow(items, wanted, found) {
  let hits = 0;
  for (const item of items) {
    const hit = wanted !== "" && item.has(wanted);
    hits += hit;
    item.element.hidden = wanted !== "" && !hit;
    item.mark(wanted);
    if (hit && hits <= MOST_OPENED) item.toggle(true);
  }
  found.textContent = wanted && `In ${hits.toLocaleString("en")} of ${counted(items.length, "request")}.`;
}

function requestItem(sent, at) {
  const request = sent.requests[at];
  const body = h("div", { class: "stack tight request" });
  const details = h("details", {}, summary(request, at), body);
  let wanted = "";
  let drawn = null;

  // What is closed has no text in the page: a long reply has hundreds of requests.
  function draw() {
    if (!details.open || drawn === wanted) return;
    drawn = wanted;
    fill(body, content(sent, at, wanted));
  }

  details.addEventListener("toggle", draw);
  return {
    element: h("li", {}, details),
    has: (text) => textOf(sent, at, text.length).toLowerCase().includes(text),
    mark(text) {
      wanted = text;
      draw();
    },
    toggle(open) {
      details.open = open;
      draw();
    },
  };
}

/** What is searched: what is new in a request, and as much in front of it as a match may begin in. */
function textOf(sent, at, length) {
  const { text, body } = sent.requests[at];
  if (text === undefined) return words(body).join("\n");
  const front = length > 1 ? sent.before(at, length - 1).slice(1 - length) : "";
  return front + text;
}

function summary(request, at) {
  const tokens = request.shared
    ? counted(request.tokens - request.shared, "new token")
    : request.tokens && counted(request.tokens, "token");
  const text = request.shared ? request.text.slice(0, GLIMPSE).replaceAll("\n", "↵") : "";
  return h(
    "summary",
    {},
    h("span", { class: "number" }, `${at + 1}.`),
    h("span", { class: "what" }, purpose(request)),
    tokens && h("span", { class: "quiet" }, tokens),
    text && h("span", { class: "glimpse" }, text),
  );
}

function content(sent, at, wanted) {
  const request = sent.requests[at];
  const told = asked(request);
  const where = h("code", {}, `${request.method} ${request.endpoint}`);
  return [
    h("p", { class: "quiet" }, where, told && ` ${told}`),
    ...(request.text === undefined
      ? [request.body && fields(request, at, wanted)]
      : text(sent, at, wanted)),
  ];
}

/** What was new, behind the end of what the remote had already; below it what else there is to see. */
function text(sent, at, wanted) {
  const request = sent.requests[at];
  const holder = box(`Text of request ${at + 1}`);
  const fresh = markedText(request.text, wanted);
  if (request.after === null) return [fill(holder, fresh), all(request, at)];
  const added = h("ins", {}, h("span", { class: "unseen" }, "New: "), fresh);
  const had = (front) => fill(holder, h("span", { class: "had" }, markedText(front, wanted)), added);
  const near = sent.before(at, BEFORE + 1);
  had(near.length > BEFORE ? `…${near.slice(-BEFORE).replace(/^\S*/, "")}` : near);
  const show = () => {
    had(sent.whole(request.after));
    more.remove();
    holder.focus();
  };
  const act = `Show the ${counted(request.shared, "token")} in front of it`;
  const button = { class: "button small", type: "button", onclick: show };
  const more = near.length > BEFORE && h("button", button, act);
  return [holder, h("div", { class: "row" }, more, all(request, at))];
}

function all(request, at) {
  return h("details", {}, h("summary", {}, "All fields"), fields(request, at, ""));
}

function fields({ body }, at, wanted) {
  return fill(box(`Fields of request ${at + 1}`), markedText(JSON.stringify(body, null, 2), wanted));
}

/** A text that scrolls where it is long, by the keyboard too. */
function box(label) {
  return h("div", { class: "raw", role: "group", tabindex: 0, "aria-label": label });
}
