/** One file of those that are added: its row, which says what becomes of it, and the sending itself. */

import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { createProgress } from "../../parts/progress.js";
import { inWords } from "../../parts/trouble.js";
import { upload } from "../../upload.js";

const MIB = 2 ** 20;
const MOST = 127 * MIB; // a form with one file may have 128
const WHO = "It is not known which of it is yours. Say above how it calls you, and try again.";

/** The row of `{ file, name }`. Its `state` is waiting, going, done, refused, failed or stopped. */
export function createSentFile({ file, name }, profile) {
  const outcome = h("div", { class: "outcome" });
  const label = h("bdi", { class: "file-name grow" }, name);
  const element = h("li", { class: "sent-file" },
    h("div", { class: "row" }, label, h("span", { class: "quiet" }, size(file.size))), outcome);
  const row = { name, element, bytes: file.size, state: "waiting", read: null, tell, send };

  function tell(state, ...content) {
    row.state = state;
    element.dataset.state = state;
    fill(outcome, content);
  }

  /** Sends the file with the `fields`, and says what became of it; never throws. */
  async function send(path, fields, signal) {
    row.read = null;
    if (file.size > MOST) {
      tell("refused", h("p", {}, tooLarge(name, profile)));
      return;
    }
    const going = { stored: 0, progress: createProgress("Sending") };
    tell("going", going.progress.element);
    try {
      row.read = await sent(path, formOf(file, name, fields), going, signal);
      tell(row.read.refused ? "refused" : "done", outcomeOf(row.read, fields.dry));
    } catch (error) {
      if (error.name === "AbortError") tell("stopped", h("p", {}, stopped(fields.dry ? 0 : going.stored)));
      else tell("failed", h("p", { class: "bad" }, `Not added. ${inWords(error)}`));
    }
  }

  return row;
}

/** Sends the form, with its progress in `going`; resolves to what the server says of the file. */
async function sent(path, form, going, signal) {
  let read = null;
  await upload(path, form, {
    signal,
    onSent(share) {
      if (share < 1) going.progress.set(`Sending, ${Math.floor(share * 100)} %`, share, 1);
      else going.progress.set("Reading");
    },
    onEvent(told) {
      if (told.object === "history.file") read = told;
      if (told.object !== "history.files.progress") return;
      going.stored = told.added;
      going.progress.set(`Reading: ${soFar(told)}`);
    },
  });
  return read;
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
  const { added, known, left_out: left, samples } = read;
  return [
    mainly(read, dry),
    left.length > 0 && reasons(left, added + known === 0),
    samples.length > 0 && samplesOf(samples, added),
  ];
}

function mainly({ added, known, refused, needs_me: needsMe }, dry) {
  if (needsMe && !added) return h("p", { class: "warn" }, WHO);
  if (refused) return h("p", { class: "bad" }, `Not read: ${refused}.`);
  if (!added && !known) return h("p", {}, "Nothing of it is kept.");
  const already = known ? `; ${known.toLocaleString("en")} here already` : "";
  return h("p", {}, `${dry ? "Would add" : "Added"} ${counted(added, "text")}${already}.`);
}

function reasons(left, open) {
  const total = left.reduce((sum, { count }) => sum + count, 0);
  const why = ({ reason, count }) => h("li", {}, reason, count > 1 && ` (${count.toLocaleString("en")})`);
  return h("details", { open },
    h("summary", {}, `Left out: ${total.toLocaleString("en")}`),
    h("ul", { class: "reasons" }, left.map(why)));
}

function samplesOf(samples, added) {
  const some = added > samples.length;
  const sample = ({ title, text }) => h("blockquote", { class: "sample", dir: "auto" },
    title && h("strong", {}, title), h("p", {}, text));
  return h("details", {},
    h("summary", {}, some ? `The first ${samples.length} of ${added.toLocaleString("en")}` : "What it says"),
    samples.map(sample));
}

function soFar({ added, known, left_out: left }) {
  return [
    counted(added, "text"),
    known && `${known.toLocaleString("en")} here already`,
    left && `${left.toLocaleString("en")} left out`,
  ].filter(Boolean).join(", ");
}

function stopped(stored) {
  if (!stored) return "Stopped: nothing of it was added.";
  const are = stored === 1 ? "is" : "are";
  return `Stopped: ${counted(stored, "text")} of it ${are} added. Add the file again for the rest.`;
}

function tooLarge(name, { id }) {
  return `Too large to send: more than ${MOST / MIB} MB. The command reads files of any size: `
    + `costeer history add ${id} ${shellWord(name)}`;
}

/** A name as one word of a shell, which does nothing that stands in it. */
function shellWord(name) {
  return `'${name.replaceAll("'", "'\\''")}'`;
}

/** A size in bytes, for people. */
export function size(bytes) {
  if (bytes < 1000) return counted(bytes, "byte");
  const [divided, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : [bytes / 1e6, "MB"];
  return `${divided.toLocaleString("en", { maximumFractionDigits: divided < 10 ? 1 : 0 })} ${unit}`;
}
