/** The view Try: a conversation, answered in columns side by side, each for another profile or strength. */

import { fill, h, uniqueId } from "../dom.js";
import { confirmed } from "../parts/dialog.js";
import { say } from "../parts/status.js";
import { trouble } from "../parts/trouble.js";
import { createCard } from "./try/card.js";
import { loadChoices } from "./try/choices.js";
import { createColumn } from "./try/column.js";
import { createComposer } from "./try/composer.js";
import { figuresExplained } from "./try/figures.js";
import { createLegend } from "./try/legend.js";
import { createSettings } from "./try/settings.js";
import { createColumnTabs } from "./try/tabs.js";

const COLUMNS = 3;
const COUNTED = ["", "The reply is", "Two replies are", "Three replies are"];
const SUGGESTIONS = [
  "Introduce me in three sentences.",
  "What should I cook tonight?",
  "Write a short note to my neighbour about Saturday.",
];

/** Makes the view: its element, and what is done when it is shown, hidden and removed. */
export function createTry() {
  const body = h("div", { class: "try-body" }, h("p", { class: "empty" }, "One moment …"));
  const tools = h("div", { class: "row" });
  const element = h(
    "section",
    { class: "view try" },
    h("header", {}, h("h1", { tabindex: "-1" }, "Try"), tools),
    body,
  );
  const life = new AbortController();
  let page = null;

  async function start() {
    try {
      const choices = await loadChoices();
      if (page) page.setProfiles(choices.profiles);
      else page = createConversation(element, { tools, body, choices, signal: life.signal });
    } catch (error) {
      if (!page) fill(body, trouble(error, { title: "The page could not ask the server", retry: start }));
    }
  }

  return { element, shown: start, hidden: () => page?.leave(), removed: () => life.abort() };
}

/** Everything below the heading, once it is known which profiles and models there are; `signal` ends it. */
function createConversation(view, { tools, body, choices: { models, profiles }, signal }) {
  const explanation = uniqueId("figures");
  const columns = [];
  const card = createCard(signal);
  const settings = createSettings(models);
  const legend = createLegend((on) => holder.classList.toggle("unmarked", !on), signal);
  const composer = createComposer({ send, stop });
  const tabs = createColumnTabs("Columns", signal);
  const holder = h("div", { class: "columns" });
  const suggestions = suggested(composer.write);
  const page = { card, explanation, settings: settings.values, changed, finished };
  const add = h("button", { class: "button small", type: "button", onclick: addColumn }, "Add column");
  const clear = h("button", { class: "button small", type: "button", onclick: ask }, "Clear");
  let everyone = profiles;

  function addColumn() {
    const column = createColumn(everyone, next(columns.length, everyone), page);
    column.tools.append(h("button", {
      class: "button bare icon",
      type: "button",
      "aria-label": "Take this column away",
      onclick: () => removeColumn(column),
    }, "×"));
    columns.push(column);
    holder.append(column.element);
    changed();
    return column;
  }

  function removeColumn(column) {
    column.stop();
    card.close();
    column.element.remove();
    columns.splice(columns.indexOf(column), 1);
    changed();
    add.focus();
  }

  function changed() {
    if (!columns.length) return;
    const busy = columns.some((column) => column.busy());
    holder.dataset.count = String(columns.length);
    add.disabled = columns.length >= COLUMNS;
    clear.disabled = columns.every((column) => column.empty());
    suggestions.hidden = !clear.disabled;
    composer.setBusy(busy);
    tabs.show(columns);
  }

  async function send(text) {
    const wanted = settings.values();
    finished((await Promise.all(columns.map((column) => column.send(text, wanted)))).filter(Boolean).length);
  }

  function finished(count) {
    if (count > 0) tell(`${COUNTED[count]} finished.`);
  }

  function stop() {
    halt();
    tell("Stopped.");
  }

  function halt() {
    for (const column of columns) column.stop();
  }

  /** Says what the columns show as well, if they are in sight. */
  function tell(text) {
    say(text, { seen: view.hidden });
  }

  async function ask() {
    const sure = await confirmed("Clear the conversation?", "All turns of all columns go.", "Clear");
    if (!sure) return;
    for (const column of columns) column.clear();
    card.close();
    changed();
    composer.write("");
  }

  function press(event) {
    const seen = !view.hidden && !document.querySelector("dialog[open]");
    if (event.key !== "Escape" || !seen) return;
    if (card.escape()) return;
    if (columns.some((column) => column.busy())) stop();
  }

  function pointed(event) {
    if (card.pinned() && !event.target.closest(".word-card, .w[data-word]")) card.close();
  }

  document.addEventListener("keydown", press, { signal });
  document.addEventListener("pointerdown", pointed, { signal });
  signal.addEventListener("abort", halt);
  fill(tools, settings.now, settings.button, legend.button, add, clear);
  fill(
    body,
    legend.element,
    tabs.element,
    holder,
    suggestions,
    composer.element,
    figuresExplained(explanation),
    card.element,
  );
  addColumn();
  addColumn();

  return {
    leave: card.close,
    setProfiles(all) {
      everyone = all;
      for (const column of columns) column.setProfiles(all);
    },
  };
}

/** What a new column begins with: the remote alone, the default profile, then another one or more of it. */
function next(count, profiles) {
  const first = profiles.find((one) => one.isDefault) ?? profiles[0];
  if (count === 0 || !first) return { profile: "", strength: "auto" };
  const other = profiles.find((one) => one !== first);
  if (count === 1) return { profile: first.id, strength: "auto" };
  return other ? { profile: other.id, strength: "auto" } : { profile: first.id, strength: "2" };
}

function suggested(write) {
  return h("div", { class: "buttons suggestions" }, SUGGESTIONS.map((text) => h(
    "button",
    { class: "button bare small", type: "button", onclick: () => write(text) },
    text,
  )));
}
