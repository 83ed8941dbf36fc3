/** The tab History: what a person wrote, to search, read, change and delete; and files to add. */

import { get, post, quoted, remove } from "../../api.js";
import { fill, h } from "../../dom.js";
import { confirmed, openDialog } from "../../parts/dialog.js";
import { say, warn } from "../../parts/status.js";
import { inWords, trouble } from "../../parts/trouble.js";
import { bringsFiles, chosenFiles, droppedFiles } from "./dropped.js";
import { createFiles } from "./files.js";
import { itemForm, itemRow, openItem } from "./history_item.js";
import { counted } from "./words.js";

const PAGE = 50;
const FOUND = 100;

/** The history of `profile`, as the server has it. */
export function historyView(profile) {
  const path = `/v1/profiles/${quoted(profile.id)}`;
  const heading = h("h2", { tabindex: "-1" }, "What ", h("bdi", {}, profile.name), " wrote");
  const count = h("p", { class: "quiet" });
  const files = createFiles(profile, { changed: () => reload(), closed: () => choose.focus() });
  const list = createList(profile, path, { changed: () => recount(), neighbour: () => heading.focus() });
  const [choose, choosers] = fileButtons(files);
  const erase = h("button", { class: "button danger small", type: "button", onclick: () => eraseAll() }, "Delete all");
  const write = h("button", { class: "button", type: "button", onclick: () => writeText() }, "Write a text");

  async function recount() {
    try {
      const { history_count: number } = await get(path, { quiet: true });
      count.textContent = number ? `${counted(number, "text")}, the newest first. The small model learns from them.` : "";
      erase.hidden = number === 0;
    } catch {
      count.textContent = "";
    }
  }

  function reload() {
    list.show();
    recount();
  }

  async function writeText() {
    const empty = { title: "", request: "", text: "", disclosure: "open" };
    const stored = await openDialog("Write a text", (close) => itemForm(empty, {
      act: "Add",
      cancel: () => close(),
      save: async (value) => {
        await post(`${path}/history`, value);
        close(true);
      },
    }), { wide: true });
    if (!stored) return;
    say("Added.");
    reload();
  }

  async function eraseAll() {
    try {
      const { history_count: number } = await get(path);
      const words = `${counted(number, "text")} of “${profile.name}” ${number === 1 ? "is" : "are"} erased from this device, and from the `
        + "small model's memory. It cannot be undone. Facts and preferences stay.";
      if (!await confirmed("Delete the whole history?", words, `Delete ${counted(number, "text")}`)) return;
      const { deleted } = await remove(`${path}/history`);
      say(`Deleted: ${counted(deleted, "text")}.`);
      reload();
      heading.focus();
    } catch (error) {
      warn(`Not deleted. ${inWords(error)}`);
    }
  }

  reload();
  const element = h("div", { class: "stack history" },
    h("div", { class: "row" }, h("div", { class: "grow" }, heading, count), h("div", { class: "buttons" }, choosers, write)),
    files.element,
    list.element,
    h("div", { class: "buttons" }, erase));
  return droppable(element, files);
}

/** The buttons that choose files and a folder; the first one is given by itself as well. */
function fileButtons(files) {
  const input = (properties) => h("input", {
    type: "file", multiple: true, hidden: true, ...properties,
    onchange: ({ target }) => {
      files.take(chosenFiles(target.files));
      target.value = ""; // the same file may be chosen again
    },
  });
  const [some, folder] = [input({}), input({ webkitdirectory: true })];
  const button = (label, one, kind) => h("button", { class: kind, type: "button", onclick: () => one.click() }, label);
  const first = button("Add files", some, "button main");
  return [first, [first, button("Add a folder", folder, "button"), some, folder]];
}

/** Lets files be dropped anywhere in `element`. */
function droppable(element, files) {
  let depth = 0;
  const mark = (by) => {
    depth = by === null ? 0 : depth + by;
    element.classList.toggle("dropping", depth > 0);
  };
  element.addEventListener("dragenter", (event) => bringsFiles(event) && mark(1));
  element.addEventListener("dragleave", (event) => bringsFiles(event) && mark(-1));
  element.addEventListener("dragover", (event) => bringsFiles(event) && event.preventDefault());
  element.addEventListener("drop", async (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    mark(null);
    if (files.busy) return warn("Files are being added. Drop these once that is done.");
    try {
      return files.take(await droppedFiles(event));
    } catch {
      return warn("The browser could not read what was dropped. Choose the files instead.");
    }
  });
  return element;
}

/** The list, and the search above it. */
function createList(profile, path, { changed, neighbour }) {
  const query = h("input", { type: "search", autocomplete: "off", "aria-label": "Search the texts", placeholder: "Search the texts", dir: "auto" });
  const said = h("p", { class: "quiet" });
  const items = h("ol", { class: "plain texts", "aria-label": "Texts" });
  const foot = h("div", {});
  let asked = 0; // the newest question; answers to older ones are late

  async function show() {
    asked += 1;
    const mine = asked;
    const words = query.value.trim();
    try {
      const page = words ? await search(words) : await get(`${path}/history?limit=${PAGE}`);
      if (mine !== asked) return;
      fill(items, page.data.map((item) => itemRow(item, open, words)));
      said.textContent = words ? found(page.data.length) : "";
      if (words) say(said.textContent);
      fill(foot, page.data.length || words ? more(page) : empty(profile));
    } catch (error) {
      if (mine === asked) fill(foot, trouble(error, { title: "The texts could not be read", retry: show }));
    }
  }

  const search = (words) => get(`${path}/history/search?limit=${FOUND}&q=${quoted(words)}`);

  function more(page) {
    if (!page.has_more) return null;
    const button = h("button", { class: "button", type: "button", onclick: () => next() }, "Show more");
    const next = async () => {
      button.disabled = true;
      try {
        const newer = await get(`${path}/history?limit=${PAGE}&after=${quoted(page.last_id)}`);
        const rows = newer.data.map((item) => itemRow(item, open));
        items.append(...rows);
        fill(foot, more(newer));
        rows[0]?.firstChild.focus();
      } catch (error) {
        button.disabled = false;
        warn(`Not read. ${inWords(error)}`);
      }
    };
    return h("div", { class: "buttons" }, button);
  }

  async function open(item) {
    const words = query.value.trim();
    const newer = await openItem(profile, item);
    const row = items.querySelector(`[data-item="${CSS.escape(item.id)}"]`)?.parentElement;
    if (!row || newer === item) return;
    if (newer) {
      const fresh = itemRow({ passage: newer.text, ...newer }, open, words);
      row.replaceWith(fresh);
      fresh.firstChild.focus();
    } else {
      const near = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      if (near) near.firstChild.focus();
      else neighbour();
      changed();
    }
  }

  const form = h("form", { class: "row search", role: "search", onsubmit: (event) => { event.preventDefault(); show(); } },
    h("div", { class: "grow" }, query), h("button", { class: "button" }, "Search"));
  query.addEventListener("input", () => { if (!query.value) show(); });
  return { element: h("div", { class: "stack" }, form, said, items, foot), show };
}

function found(number) {
  if (!number) return "Nothing matches. Try other words.";
  return number === FOUND ? `The best ${FOUND} texts.` : `${counted(number, "text")} found, the best first.`;
}

function empty(profile) {
  return h("div", { class: "empty stack tight" },
    h("p", {}, "Nothing yet. Drop letters, notes, mail or exports of chats here."),
    h("p", {}, "The small model reads what fits the conversation, and learns how ", h("bdi", {}, profile.name), " writes. It stays on this device."));
}
