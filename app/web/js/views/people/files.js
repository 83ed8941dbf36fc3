/** Adds files to a history: what was chosen, what is asked before, how it goes, and what became of each. */

import { get, quoted } from "../../api.js";
import { fill, h, uniqueId } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { field, select } from "../../parts/field.js";
import { createProgress } from "../../parts/progress.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";
import { asksWho } from "./dropped.js";
import { CHOICES } from "./levels.js";
import { createSentFile, size } from "./sent_file.js";

/**
 * Gives the element, and `take({ files, passed })`, which begins with what was chosen. `changed()` is called
 * once something is stored, and `closed()` when the person is done.
 */
export function createFiles(profile, { changed, closed }) {
  const path = `/v1/profiles/${quoted(profile.id)}`;
  const panel = createPanel();
  let rows = [];
  let going = null;

  function take({ files, passed }) {
    if (going || !(files.length + passed)) return;
    const waiting = rows.filter(({ state }) => state === "waiting");
    rows = [...waiting, ...files.map((one) => createSentFile(one, profile))];
    panel.open(rows, rows.length ? chosen(rows, passed) : passedOver(passed));
    ask();
  }

  function ask() {
    const none = rows.length === 0;
    panel.buttons([
      ["Add", () => run(rows, false), { main: true, disabled: none }],
      ["Look first", () => run(rows, true), { disabled: none }],
      ["Cancel", close],
    ]);
  }

  async function run(some, dry) {
    going = new AbortController();
    panel.begin(dry ? "Looking at the files" : "Adding the files", () => going?.abort());
    try {
      await get(path); // a key is asked for before anything is sent
      await sendAll(some, { ...panel.asked(), dry });
      end(dry);
    } catch (error) {
      panel.fail(error);
      ask();
    } finally {
      going = null;
    }
  }

  async function sendAll(some, fields) {
    for (const [place, row] of some.entries()) {
      panel.progress(place, some.length);
      if (going.signal.aborted) row.tell("stopped", h("p", {}, "Stopped before it was sent."));
      else await row.send(`${path}/history/files`, fields, going.signal);
    }
  }

  function end(dry) {
    const again = rows.filter(({ state }) => ["failed", "stopped"].includes(state));
    const unknown = rows.filter(({ read }) => read?.needs_me);
    const summary = summed(rows, dry);
    panel.end(dry ? "What would be added" : "What was added", summary, {
      options: dry || again.length > 0 || unknown.length > 0,
      who: unknown.length > 0,
    });
    const main = (label, some) => [label, () => run(some, false), { main: true }];
    panel.buttons([
      dry && main("Add", rows),
      !dry && unknown.length && main("Try again with these names", unknown),
      !dry && again.length && main(`Add the rest: ${counted(again.length, "file")}`, again),
      [dry ? "Cancel" : "Done", close],
    ]);
    say(summary);
    if (!dry) changed();
  }

  function close() {
    rows = [];
    panel.close();
    closed();
  }

  return { element: panel.element, take, get busy() { return going !== null; } };
}

/** What is to be seen of it, without knowing how files are sent. */
function createPanel() {
  const heading = uniqueId("files");
  const title = h("h3", { id: heading, tabindex: "-1" });
  const lead = h("p", { class: "quiet" });
  const list = h("ul", { class: "plain sent-files", "aria-labelledby": heading });
  const [overall, problem] = [h("div", {}), h("div", {})];
  const acts = h("div", { class: "buttons" });
  const level = select(CHOICES, "open");
  const me = h("textarea", { rows: 2, spellcheck: "false", autocomplete: "off", dir: "auto" });
  const who = field("How mail and chats call you", me, {
    hint: "A name or a mail address a line, as they write it. Only what you wrote is kept.",
  });
  const options = h("div", { class: "fields" }, field("What replies may say of it", level), who);
  const element = h("section", { class: "card stack files", "aria-labelledby": heading, hidden: true },
    h("div", {}, title, lead), problem, options, acts, overall, list);
  const bar = createProgress("");

  function headed(words, more) {
    title.textContent = words;
    lead.textContent = more;
  }

  return {
    element,
    asked: () => ({ me: me.value.split("\n").map((one) => one.trim()).filter(Boolean), level: level.value }),
    open(rows, words) {
      fill(list, rows.map((row) => row.element));
      fill(problem);
      headed(`${counted(rows.length, "file")} to add`, words);
      who.hidden = !rows.some(({ name }) => asksWho(name));
      options.hidden = rows.length === 0;
      element.hidden = false;
      title.focus();
    },
    buttons(all) {
      fill(acts, all.filter(Boolean).map(([label, act, { main = false, disabled = false } = {}]) => h(
        "button", { class: main ? "button main" : "button", type: "button", onclick: act, disabled }, label,
      )));
    },
    begin(words, stop) {
      headed(words, "");
      options.hidden = true;
      fill(problem);
      this.buttons([["Stop", stop]]);
      acts.firstChild.focus();
    },
    progress(place, total) {
      fill(overall, total > 1 && bar.element);
      bar.set(`File ${place + 1} of ${total}`, place, total);
    },
    end(words, summary, shown) {
      headed(words, summary);
      fill(overall);
      options.hidden = !shown.options;
      if (shown.who) who.hidden = false;
      title.focus();
    },
    fail(error) {
      options.hidden = false;
      fill(overall);
      fill(problem, trouble(error, { title: "The files were not sent" }));
    },
    close() {
      fill(list);
      element.hidden = true;
    },
  };
}

function chosen(rows, passed) {
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  return [size(bytes), passed && passedOver(passed)].filter(Boolean).join("; ");
}

function passedOver(number) {
  const are = number === 1 ? "is" : "are";
  return `${counted(number, "other file")} of the folder ${are} not of a kind that is read`;
}

/** What became of all files, in a sentence or two. */
function summed(rows, dry) {
  const sum = (name) => rows.reduce((total, { read }) => total + (read?.[name] ?? 0), 0);
  const number = (states) => rows.filter(({ state }) => states.includes(state)).length;
  const [known, refused, stopped] = [sum("known"), number(["refused", "failed"]), number(["stopped"])];
  return [
    `${dry ? "Would add" : "Added"} ${counted(sum("added"), "text")}.`,
    known && `${counted(known, "text")} ${known === 1 ? "is" : "are"} here already.`,
    refused && `${counted(refused, "file")} could not be read.`,
    stopped && `${counted(stopped, "file")} ${stopped === 1 ? "was" : "were"} stopped.`,
  ].filter(Boolean).join(" ");
}
