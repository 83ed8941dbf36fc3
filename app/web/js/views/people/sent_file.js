/** One file of those that are added: its row, which says what becomes of it, and the sending itself. */

import { fill, h } from "../../dom.js";
import { createProgress } from "../../parts/progress.js";
import { inWords } from "../../parts/trouble.js";
import { upload } from "../../upload.js";
import { counted } from "./words.js";

const MIB = 2 ** 20;
const MOST = 127 * MIB; // a form with one file may have 128

/** Makes a row for `{ file, name }`. Its `state` is waiting, going, done, refused, failed or stopped. */
export function createSentFile({ file, name }) {
  const outcome = h("div", { class: "outcome" });
  const element = h("li", { class: "sent-file" },
    h("div", { class: "row" },
      h("bdi", { class: "file-name grow" }, name),
      h("span", { class: "quiet" }, size(file.size))),
    outcome);
  const row = { name, element, state: "waiting", read: null, send };

  function tell(state, ...content) {
    row.state = state;
    element.dataset.state = state;
    fill(outcome, content);
  }

  /** Sends the file with the `fields`; never throws. */
  async function send(path, fields, signal) {
    row.read = null;
    if (file.size > MOST) return tell("refused", h("p", {}, tooLarge(name)));
    const progress = createProgress("Sending");
    tell("going", progress.element);
    try {
      await upload(path, formOf(file, name, fields), {
        signal,
        onSent: (share) => (share < 1 ? progress.set(`Sending, ${Math.floor(share * 100)} %`, share, 1) : progress.set("Reading")),
        onEvent: (told) => {
          if (told.object === "history.file") row.read = told;
          if (told.object === "history.files.progress") {
            row.stored = told.added;
            progress.set(`Reading: ${soFar(told)}`);
          }
        },
      });
      tell(row.read.refused || row.read.needs_me ? "refused" : "done", outcomeOf(row.read, fields.dry));
    } catch (error) {
      if (error.name === "AbortError") tell("stopped", h("p", {}, stopped(row.stored, fields.dry)));
      else tell("failed", h("p", { class: "bad" }, `Not added. ${inWords(error)}`));
    }
    return undefined;
  }

  return Object.assign(row, { stored: 0, tell });
}

function formOf(file, name, { me, level, dry }) {
  const form = new FormData();
  for (const one of me) form.append("me", one);
  if (level !== "open") form.append("disclosure", level);
  form.append("dry_run", String(dry));
  form.append("stream", "true");
  form.append("file", file, name);
  return form;
}

function outcomeOf(read, dry) {
  const { added, known, refused, needs_me: needsMe, left_out: left, samples } = read;
  const said = [];
  if (needsMe) said.push(h("p", { class: "warn" }, "It is not known which of it is yours. Say above how it calls you, and try again."));
  else if (refused) said.push(h("p", { class: "bad" }, `Not read: ${refused}.`));
  else if (!added && !known) said.push(h("p", {}, "Nothing of it is kept."));
  else said.push(h("p", {}, `${dry ? "Would add" : "Added"} ${counted(added, "text")}${known ? `; ${known.toLocaleString("en")} here already` : ""}.`));
  if (left.length) said.push(reasons(left, added + known === 0));
  if (samples.length) said.push(samplesOf(samples, added));
  return said;
}

function reasons(left, open) {
  const total = left.reduce((sum, { count }) => sum + count, 0);
  return h("details", { open }, h("summary", {}, `Left out: ${total.toLocaleString("en")}`),
    h("ul", { class: "reasons" }, left.map(({ reason, count }) => h("li", {}, reason, count > 1 ? ` (${count.toLocaleString("en")})` : ""))));
}

function samplesOf(samples, added) {
  return h("details", {}, h("summary", {}, added > samples.length ? `The first ${samples.length} of ${added.toLocaleString("en")}` : "What it says"),
    samples.map(({ title, text }) => h("blockquote", { class: "sample", dir: "auto" }, title && h("strong", {}, title), h("p", {}, text))));
}

function soFar({ added, known, left_out: left }) {
  return [counted(added, "text"), known && `${known.toLocaleString("en")} here already`, left && `${left.toLocaleString("en")} left out`]
    .filter(Boolean).join(", ");
}

function stopped(stored, dry) {
  if (dry || !stored) return "Stopped: nothing of it was added.";
  return `Stopped: ${counted(stored, "text")} of it ${stored === 1 ? "is" : "are"} added. Add the file again for the rest.`;
}

function tooLarge(name) {
  return `Too large to send: more than ${MOST / MIB} MB. The command reads files of any size: costeer history add PROFILE "${name}"`;
}

/** A size in bytes, for people. */
export function size(bytes) {
  if (bytes < 1000) return counted(bytes, "byte");
  const [divided, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : [bytes / 1e6, "MB"];
  return `${divided.toLocaleString("en", { maximumFractionDigits: divided < 10 ? 1 : 0 })} ${unit}`;
}
