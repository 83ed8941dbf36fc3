/** Adds files to a history: what was chosen, what is asked before, how it goes, and what became of each. */

import { get, quoted } from "../../api.js";
import { fill, h, uniqueId } from "../../dom.js";
import { field, select } from "../../parts/field.js";
import { createProgress } from "../../parts/progress.js";
import { say } from "../../parts/status.js";
import { trouble } from "../../parts/trouble.js";
import { asksWho } from "./dropped.js";
import { LEVELS } from "./levels.js";
import { createSentFile, size } from "./sent_file.js";
import { counted } from "./words.js";

/**
 * Gives the element, and `take({ files, passed })`, which begins with what was chosen. `changed()` is called once
 * something is stored, and `closed()` when the person is done.
 */
export function createFiles(profile, { changed, closed }) {
  const heading = uniqueId("files");
  const title = h("h3", { id: heading, tabindex: "-1" });
  const lead = h("p", { class: "quiet" });
  const list = h("ul", { class: "plain sent-files", "aria-labelledby": heading });
  const overall = h("div", {});
  const problem = h("div", {});
  const buttons = h("div", { class: "buttons" });
  const level = select(LEVELS.map((one) => [one.level, one.short]), "open");
  const me = h("textarea", { rows: 2, spellcheck: "false", autocomplete: "off", dir: "auto" });
  const asked = field("How mail and chats call you", me, {
    hint: "A name or a mail address a line, as they write it. Only what you wrote is kept.",
  });
  const options = h("div", { class: "fields" }, field("What replies may say of it", level), asked);
  const element = h("section", { class: "card stack files", "aria-labelledby": heading, hidden: true },
    h("div", {}, title, lead), problem, options, buttons, overall, list);
  let rows = [];
  let going = null;

  function take({ files, passed }) {
    rows = [...rows.filter(({ state }) => state === "waiting"), ...files.map(createSentFile)];
    if (!rows.length && !passed) return;
    fill(list, rows.map((row) => row.element));
    fill(overall);
    fill(problem);
    element.hidden = false;
    title.textContent = `${counted(rows.length, "file")} to add`;
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    lead.textContent = [size(bytes), passed && `${counted(passed, "other file")} of the folder ${passed === 1 ? "is" : "are"} not of a kind that is read`]
      .filter(Boolean).join("; ");
    asked.hidden = !rows.some(({ name }) => asksWho(name));
    options.hidden = !rows.length;
    ask();
    title.focus();
  }

  function ask() {
    fill(buttons,
      button("Add", () => run(rows, false), "button main", !rows.length),
      button("Look first", () => run(rows, true), "button", !rows.length),
      button("Cancel", close));
  }

  async function run(chosen, dry) {
    going = new AbortController();
    const fields = { me: me.value.split("\n").map((one) => one.trim()).filter(Boolean), level: level.value, dry };
    const path = `/v1/profiles/${quoted(profile.id)}`;
    begin(dry);
    try {
      await get(path); // a key is asked for before anything is sent
      await sendAll(chosen, `${path}/history/files`, fields);
      end(dry);
    } catch (error) {
      fill(problem, trouble(error, { title: "The files were not sent" }));
      ask();
    }
    going = null;
  }

  function begin(dry) {
    title.textContent = dry ? "Looking at the files" : "Adding the files";
    options.hidden = true;
    fill(problem);
    fill(buttons, button("Stop", () => going?.abort()));
    buttons.firstChild.focus();
  }

  async function sendAll(chosen, path, fields) {
    const progress = createProgress("");
    fill(overall, chosen.length > 1 ? progress.element : null);
    for (const [place, row] of chosen.entries()) {
      progress.set(`File ${place + 1} of ${chosen.length}`, place, chosen.length);
      if (going.signal.aborted) row.tell("stopped", h("p", {}, "Stopped before it was sent."));
      else await row.send(path, fields, going.signal);
    }
    fill(overall);
  }

  function end(dry) {
    const summary = summed(rows, dry);
    const again = rows.filter(({ state }) => ["failed", "stopped"].includes(state));
    const unknown = rows.filter(({ read }) => read?.needs_me);
    title.textContent = dry ? "What would be added" : "What was added";
    lead.textContent = summary;
    options.hidden = !dry && !again.length && !unknown.length;
    asked.hidden = asked.hidden && !unknown.length;
    fill(buttons,
      dry && button("Add", () => run(rows, false), "button main"),
      !dry && unknown.length > 0 && button("Try again with these names", () => run(unknown, false), "button main"),
      !dry && again.length > 0 && button(`Add the rest: ${counted(again.length, "file")}`, () => run(again, false), "button main"),
      button(dry ? "Cancel" : "Done", close));
    title.focus();
    say(summary);
    if (!dry) changed();
  }

  function close() {
    rows = [];
    fill(list);
    element.hidden = true;
    closed();
  }

  return { element, take, get busy() { return going !== null; } };
}

function button(label, act, kind = "button", disabled = false) {
  return h("button", { class: kind, type: "button", onclick: act, disabled }, label);
}

/** What became of all files, in a sentence or two. */
function summed(rows, dry) {
  const sum = (name) => rows.reduce((total, { read }) => total + (read?.[name] ?? 0), 0);
  const number = (states) => rows.filter(({ state }) => states.includes(state)).length;
  const refused = number(["refused", "failed"]);
  const stopped = number(["stopped"]);
  return [
    `${dry ? "Would add" : "Added"} ${counted(sum("added"), "text")}.`,
    sum("known") && `${counted(sum("known"), "text")} ${sum("known") === 1 ? "is" : "are"} here already.`,
    refused && `${counted(refused, "file")} could not be read.`,
    stopped && `${counted(stopped, "file")} ${stopped === 1 ? "was" : "were"} stopped.`,
  ].filter(Boolean).join(" ");
}
