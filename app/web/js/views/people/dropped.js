/** Files that are dropped or chosen, each with the folders that it lies in. */

// Kinds that are read of a folder; a file that is named itself may have any.
const READ = new Set([
  "txt",
  "text",
  "md",
  "markdown",
  "docx",
  "docm",
  "odt",
  "pdf",
  "html",
  "htm",
  "xhtml",
  "eml",
  "emlx",
  "mbox",
  "mbx",
  "json",
  "jsonl",
  "ndjson",
  "zip",
  "csv",
  "tsv",
  "tab",
]);
const MACHINERY = new Set(["node_modules", "__pycache__", "__MACOSX"]);
// Chats and mail: whose texts these are has to be known.
const ASKS = new Set(["eml", "emlx", "mbox", "mbx", "zip", "json", "csv", "tsv", "tab"]);

/** Whether anything that is dragged is a file. */
export function bringsFiles({ dataTransfer }) {
  return [...(dataTransfer?.types ?? [])].includes("Files");
}

/** The files of an input: `{ files, passed }`, where `passed` counts those of a folder that are not read. */
export function chosenFiles(list) {
  const all = [...list].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
  return sorted(all);
}

/** Likewise those of a drop; folders with all in them. Call it at once: the event forgets them. */
export async function droppedFiles({ dataTransfer }) {
  const items = [...dataTransfer.items].filter(({ kind }) => kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const all = [];
  for (const entry of entries.filter(Boolean)) await collect(entry, all);
  return sorted(all);
}

/** Whether it may have to be known who the person is, to read a file of this name. */
export function asksWho(name) {
  return ASKS.has(suffix(name)) || /whatsapp|chat/i.test(name);
}

async function collect(entry, all) {
  if (entry instanceof File) return all.push({ file: entry, name: entry.name });
  const name = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return all.push({ file: await fileOf(entry), name });
  if (MACHINERY.has(entry.name) || entry.name.startsWith(".")) return undefined;
  for (const one of await entriesOf(entry)) await collect(one, all);
  return undefined;
}

function fileOf(entry) {
  return new Promise((resolve, reject) => {
    entry.file(resolve, reject);
  });
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (!some.length) return all.sort((one, other) => one.name.localeCompare(other.name));
    all.push(...some);
  }
}

function sorted(all) {
  const wanted = ({ name }) => {
    const steps = name.split("/");
    if (steps.length === 1) return true;
    return !steps.some((step) => step.startsWith(".") || MACHINERY.has(step)) && READ.has(suffix(name));
  };
  const files = all.filter(wanted);
  return { files, passed: all.length - files.length };
}

function suffix(name) {
  return name.includes(".") ? name.slice(name.lastIndexOf(".") + 1).toLowerCase() : "";
}
