/** The texts of a history as a list, page by page, and the search above it. */

import { get, quoted } from "../../api.js";
import { fill, h } from "../../dom.js";
import { counted } from "../../parts/counted.js";
import { say, warn } from "../../parts/status.js";
import { inWords, trouble } from "../../parts/trouble.js";
import { itemRow, openItem } from "./history_item.js";

const PAGE = 50;
const FOUND = 100;
const LABEL = "Search the texts";

/**
 * The list of the history at `path`. `empty()` gives what stands in its place; `deleted()` is called once a
 * text is gone, and `left()` takes the focus where no other is left. Gives the element, and `show()`, which
 * reads anew.
 */
export function createTextList(path, { empty, deleted, left }) {
  const named = { "aria-label": LABEL, placeholder: LABEL };
  const query = h("input", { type: "search", autocomplete: "off", dir: "auto", ...named });
  const said = h("p", { class: "quiet" });
  const items = h("ol", { class: "plain texts", "aria-label": "Texts" });
  const foot = h("div", {});
  const form = searchForm(query, () => show({ announced: true }));
  let asked = 0; // the newest question; answers to older ones are late

  async function show({ announced = false } = {}) {
    asked += 1;
    const mine = asked;
    const words = query.value.trim();
    try {
      const search = `/search?limit=${FOUND}&q=${quoted(words)}`;
      const page = await get(`${path}${words ? search : `?limit=${PAGE}`}`);
      if (mine !== asked) return;
      form.hidden = !page.data.length && !words;
      fill(items, page.data.map((item) => itemRow(item, open, words)));
      said.textContent = words ? found(page.data.length) : "";
      if (words && announced) say(said.textContent);
      fill(foot, page.data.length || words ? more(page) : empty());
    } catch (error) {
      const title = "The texts could not be read";
      if (mine === asked) fill(foot, trouble(error, { title, retry: () => show() }));
    }
  }

  function more(page) {
    if (!page.has_more) return null;
    const press = () => next(page, button);
    const button = h("button", { class: "button", type: "button", onclick: press }, "Show more");
    return h("div", { class: "buttons" }, button);
  }

  async function next(page, button) {
    button.disabled = true;
    try {
      const newer = await get(`${path}?limit=${PAGE}&after=${quoted(page.last_id)}`);
      const rows = newer.data.map((item) => itemRow(item, open));
      items.append(...rows);
      fill(foot, more(newer));
      rows[0]?.firstChild.focus();
    } catch (error) {
      button.disabled = false;
      warn(`Not read. ${inWords(error)}`);
    }
  }

  async function open(item) {
    const words = query.value.trim();
    const newer = await openItem(path, item);
    const row = items.querySelector(`[data-item="${CSS.escape(item.id)}"]`)?.parentElement;
    if (!row || newer === item) return;
    if (newer) {
      const fresh = itemRow({ passage: newer.text, ...newer }, open, words);
      row.replaceWith(fresh);
      fresh.firstChild.focus();
    } else {
      takeOut(row, left);
      deleted();
      if (!items.children.length) show();
    }
  }

  query.addEventListener("input", () => { if (!query.value) show(); });
  return { element: h("div", { class: "stack" }, form, said, items, foot), show };
}

function searchForm(query, search) {
  const submit = (event) => {
    event.preventDefault();
    search();
  };
  return h("form", { class: "row search", role: "search", onsubmit: submit },
    h("div", { class: "grow" }, query),
    h("button", { class: "button" }, "Search"));
}

/** Takes a row out; the focus goes to the next one, or to the one before. */
function takeOut(row, left) {
  const near = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (near) near.firstChild.focus();
  else left();
}

function found(number) {
  if (!number) return "Nothing matches. Try other words.";
  return number === FOUND ? `The best ${FOUND} texts.` : `${counted(number, "text")} found, the best first.`;
}
