/** The tab History: what a person wrote, to search, read, change and delete; and files to add. */

import { get, post, quoted, remove } from "../../api.js";
import { h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { confirmed, openDialog } from "../../parts/dialog.js";
import { say, warn } from "../../parts/status.js";
import { inWords } from "../../parts/trouble.js";
import { bringsFiles, chosenFiles, droppedFiles } from "./dropped.js";
import { createFiles } from "./files.js";
import { itemForm } from "./history_item.js";
import { createTextList } from "./text_list.js";
import { isolated } from "./words.js";

/** The history of `profile`, as the server has it. */
export function historyView(store) {
  const { profile } = store;
  const path = `/v1/profiles/${quoted(profile.id)}`;
  const heading = h("h2", { tabindex: "-1" }, "What ", h("bdi", {}, profile.name), " wrote");
  store.onChange(({ name }) => { heading.querySelector("bdi").textContent = name; });
  const count = h("p", { class: "quiet" });
  const erase = button("Delete all", "button danger small", async () => {
    if (await eraseAll(path)) {
      reload();
      heading.focus();
    }
  });
  erase.hidden = true; // until there is something to delete
  const write = button("Write a text", "button", async () => {
    if (await writeText(path)) reload();
  });
  const files = createFiles(profile, { changed: () => reload(), closed: () => choose.firstChild.focus() });
  const choose = fileButtons(files, write);
  const list = createTextList(`${path}/history`, {
    empty: () => empty(profile),
    deleted: () => recount(),
    left: () => heading.focus(),
  });

  async function recount() {
    const { history_count: number } = await get(path, { quiet: true }).catch(() => ({ history_count: null }));
    const words = `${counted(number ?? 0, "text")}, the newest first. The small model learns from them.`;
    count.textContent = number ? words : "";
    erase.hidden = number === 0;
  }

  function reload() {
    list.show();
    recount();
  }

  reload();
  const head = h("div", { class: "row" }, h("div", { class: "grow" }, heading, count), choose);
  const foot = h("div", { class: "buttons" }, erase);
  return droppable(h("div", { class: "stack history" }, head, files.element, list.element, foot), files);
}

function button(label, kind, act) {
  return h("button", { class: kind, type: "button", onclick: act }, label);
}

/** Asks for a text; resolves to whether one was added. */
async function writeText(path) {
  const none = { title: "", request: "", text: "", disclosure: "open" };
  let form = null;
  const content = (close) => {
    const save = async (value) => {
      await post(`${path}/history`, value);
      close(true);
    };
    form = itemForm(none, { act: "Add", cancel: () => close(), save });
    return form.element;
  };
  const stored = await openDialog("Write a text", content, { wide: true, mayLeave: () => form.mayLeave() });
  if (stored) say("Added.");
  return stored;
}

/** Erases all texts, if the person says so; resolves to whether they are gone. */
async function eraseAll(path) {
  try {
    const { name, history_count: number } = await get(path);
    const all = counted(number, "text");
    const are = number === 1 ? "is" : "are";
    const words = `${all} of “${isolated(name)}” ${are} erased from this device, and from the small `
      + "model's memory. It cannot be undone. Facts and preferences stay.";
    if (!await confirmed("Delete the whole history?", words, `Delete ${all}`)) return false;
    const { deleted } = await remove(`${path}/history`);
    say(`Deleted: ${counted(deleted, "text")}.`);
    return true;
  } catch (error) {
    warn(`Not deleted. ${inWords(error)}`);
    return false;
  }
}

/** The buttons that choose files and a folder, with `others` behind them. */
function fileButtons(files, ...others) {
  const input = (properties) => h("input", {
    type: "file", multiple: true, hidden: true, ...properties,
    onchange: ({ target }) => {
      files.take(chosenFiles(target.files));
      target.value = ""; // the same file may be chosen again
    },
  });
  const [some, folder] = [input({}), input({ webkitdirectory: true })];
  return h("div", { class: "buttons" },
    button("Add files", "button main", () => some.click()),
    button("Add a folder", "button", () => folder.click()),
    others, some, folder);
}

/** Lets files be dropped anywhere in `element`. */
function droppable(element, files) {
  let depth = 0;
  const mark = (newer) => {
    depth = newer;
    element.classList.toggle("dropping", depth > 0);
  };
  element.addEventListener("dragenter", (event) => bringsFiles(event) && mark(depth + 1));
  element.addEventListener("dragleave", (event) => bringsFiles(event) && mark(depth - 1));
  element.addEventListener("dragover", (event) => bringsFiles(event) && event.preventDefault());
  element.addEventListener("drop", async (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    mark(0);
    if (files.busy) {
      warn("Files are being added. Drop these once that is done.");
      return;
    }
    try {
      files.take(await droppedFiles(event));
    } catch {
      warn("The browser could not read what was dropped. Choose the files instead.");
    }
  });
  return element;
}

function empty(profile) {
  return h("div", { class: "empty stack tight" },
    h("p", {}, "Nothing yet. Drop letters, notes, mail or exports of chats here."),
    h("p", {},
      "The small model reads what fits the conversation, and learns how ", h("bdi", {}, profile.name),
      " writes. It stays on this device."));
}
