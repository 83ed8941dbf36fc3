/** A small chart of the last hour, a bar a minute: to hover, tap, walk by keys, and read as a table. */

import { fill, h, svg } from "../../dom.js";
import { timeOf } from "./words.js";

const SLOTS = 60;
const HIGH = 100;
/** The least height of a bar that is not nothing, of HIGH. */
const SEEN = 2;

/**
 * `value(minute)` is a number, or null where there is none; `words(number)` tells it. `most` is the top of
 * the scale if that is always the same, and `inAll` says what the number of the whole hour is: "in the last
 * hour". Gives the element, and `set(minutes, total)`.
 */
export function createChart({ title, hint, value, words, most = null, inAll = "in the last hour" }) {
  const bar = (_, at) => svg("rect", { class: "bar", x: at + 0.1, width: 0.8, rx: 0.15 });
  const bars = Array.from({ length: SLOTS }, bar);
  const guide = svg("rect", { class: "guide", y: 0, width: 1, height: HIGH });
  const name = svg("title");
  const picture = svg(
    "svg",
    { class: "bars", viewBox: `0 0 ${SLOTS} ${HIGH}`, preserveAspectRatio: "none", role: "img" },
    name,
    guide,
    bars,
  );
  const range = h("input", { type: "range", min: 0, max: SLOTS - 1, step: 1, value: SLOTS - 1 });
  range.setAttribute("aria-label", `${title}, by the minute`);
  const figure = h("strong", {});
  const when = h("span", { class: "quiet" });
  const top = h("span", { class: "most" });
  const began = h("span", {});
  const rows = h("tbody", {});
  let slots = Array(SLOTS).fill(null);
  let all = null;
  let chosen = null;
  let hovered = null;

  function told(number) {
    return number === null || number === undefined ? "Nothing" : words(number);
  }

  function describe(at) {
    if (slots[at] === null) return "before the server started";
    return `${timeOf(slots[at].at)}: ${told(value(slots[at]))}`;
  }

  function show() {
    const at = hovered ?? chosen;
    const minute = at === null ? null : slots[at];
    figure.textContent = at === null ? told(all && value(all)) : told(minute && value(minute));
    when.textContent = at === null ? inAll : minute ? `at ${timeOf(minute.at)}` : "before the server started";
    guide.setAttribute("x", at ?? -2);
    range.setAttribute("aria-valuetext", describe(Number(range.value)));
  }

  function choose(at) {
    chosen = at;
    if (at !== null) range.value = at;
    show();
  }

  range.addEventListener("input", () => choose(Number(range.value)));
  range.addEventListener("focus", () => choose(Number(range.value)));
  range.addEventListener("blur", () => choose(null));
  range.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    const { left, width } = range.getBoundingClientRect();
    hovered = Math.min(SLOTS - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * SLOTS)));
    show();
  });
  range.addEventListener("pointerleave", () => {
    hovered = null;
    show();
  });

  function set(minutes, total) {
    const at = chosen === null ? null : slots[chosen]?.at;
    slots = [...Array(Math.max(0, SLOTS - minutes.length)).fill(null), ...minutes.slice(-SLOTS)];
    all = total;
    if (chosen !== null && at !== undefined) {
      const now = slots.findIndex((minute) => minute?.at === at);
      chosen = now < 0 ? chosen : now;
      range.value = chosen;
    }
    draw();
    show();
  }

  function draw() {
    const numbers = slots.map((minute) => (minute === null ? null : value(minute)));
    const scale = most ?? niceTop(Math.max(0, ...numbers.map((number) => number ?? 0)));
    numbers.forEach((number, at) => {
      const height = number ? Math.max(SEEN, (number / scale) * HIGH) : 0;
      bars[at].setAttribute("y", HIGH - height);
      bars[at].setAttribute("height", height);
    });
    top.textContent = words(scale);
    const newest = slots[SLOTS - 1].at;
    began.textContent = timeOf(newest - (SLOTS - 1) * 60);
    name.textContent = `${title}, a bar for each minute of the last hour: ${told(value(all))} ${inAll}.`;
    fill(rows, slots.filter((minute) => minute !== null && value(minute)).reverse().map((minute) => h(
      "tr",
      {},
      h("td", {}, timeOf(minute.at)),
      h("td", { class: "number" }, words(value(minute))),
    )));
  }

  const plot = h("div", { class: "plot" }, top, picture, range);
  const axis = h("div", { class: "axis" }, began, h("span", {}, "now"));
  const element = h(
    "figure",
    { class: "card chart" },
    h("figcaption", {}, h("h3", {}, title), h("p", { class: "quiet" }, hint)),
    h("p", { class: "told" }, figure, " ", when),
    h("div", {}, plot, axis),
    numbersOf(title, rows),
  );
  return { element, set };
}

function numbersOf(title, rows) {
  const minute = h("th", { scope: "col" }, "Minute");
  const head = h("tr", {}, minute, h("th", { scope: "col", class: "number" }, title));
  return h(
    "details",
    {},
    h("summary", {}, "Show numbers", h("span", { class: "unseen" }, ` of ${title}`)),
    h(
      "div",
      { class: "numbers", role: "region", "aria-label": `${title}, in numbers`, tabindex: 0 },
      h(
        "table",
        {},
        h("caption", {}, "Minutes without any are left out."),
        h("thead", {}, head),
        rows,
      ),
    ),
  );
}

/** The next of 1, 2 and 5, times a power of ten. */
function niceTop(number) {
  if (number <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= number * (1 - 1e-9));
}
