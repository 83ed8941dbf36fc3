/** The card about a word: above or below it, or at the foot of a phone. It never leaves the window. */

import { fill, h } from "../../dom.js";
import { candidatesTable, inSentences, quoted } from "./candidates.js";

const GAP = 8; // px between the word and the card, and between the card and the window's edge
const NAME = "word-card";
const NARROW = matchMedia("(max-width: 44.99rem)");

/**
 * Gives the element, `show(word)` for a look, `pin(word)` until it is closed, `leave()` after a look,
 * `enter()` to get into a pinned one, `close()`, and `escape()`, which says whether there was one. `signal`
 * ends it.
 */
export function createCard(signal) {
  const body = h("div", { class: "card-body" });
  const named = h("p", { class: "card-word" });
  const shut = h("button", { class: "button small", type: "button", onclick: () => back(true) }, "Close");
  const element = h(
    "div",
    { class: NAME, popover: "manual", role: "dialog", "aria-label": "About this word", onkeydown: press },
    h("div", { class: "card-head" }, named, shut),
    body,
  );
  let word = null;
  let pinned = false;
  let scroller = null;

  function show(wanted, { follow = false } = {}) {
    if (!follow && (pinned || NARROW.matches)) return; // a sheet would come over the pointer
    put(wanted);
  }

  function pin(wanted) {
    pinned = true;
    put(wanted);
  }

  function put(wanted) {
    if (word !== wanted) {
      forget();
      word = wanted;
      fill(named, inItsWord(word));
      fill(body, about(word));
      element.scrollTop = 0;
      word.node.classList.add("looked-at");
      word.node.setAttribute("aria-describedby", "card-said");
    }
    element.classList.toggle("pinned", pinned);
    if (!element.matches(":popover-open")) element.showPopover();
    place();
  }

  function forget() {
    word?.node.classList.remove("looked-at");
    word?.node.removeAttribute("aria-describedby");
    word = null;
  }

  function leave() {
    if (!pinned) close();
  }

  function close() {
    pinned = false;
    forget();
    if (element.matches(":popover-open")) element.hidePopover();
    scroller?.classList.remove("behind-sheet");
    scroller = null;
  }

  function back(focus) {
    const from = word?.node;
    close();
    if (focus) from?.focus({ preventScroll: true });
    if (focus) close(); // the focus has opened it again
  }

  /** Closes the card for Escape, and says whether there was one. */
  function escape() {
    if (word === null) return false;
    back(element.contains(document.activeElement));
    return true;
  }

  function enter() {
    if (!pinned || word === null) return false;
    shut.focus();
    return true;
  }

  function press(event) {
    const stops = [...element.querySelectorAll("button, [tabindex='0']")];
    if (event.key !== "Tab" || event.target !== stops.at(event.shiftKey ? 0 : -1)) return;
    const from = word?.node;
    if (event.shiftKey) event.preventDefault();
    else close();
    from?.focus({ preventScroll: true }); // and from there on, by the key itself
  }

  function place() {
    element.classList.toggle("sheet", NARROW.matches);
    if (NARROW.matches) {
      element.style.removeProperty("left");
      element.style.removeProperty("top");
      uncover();
      return;
    }
    const at = word.node.getClientRects()[0] ?? word.node.getBoundingClientRect();
    const { width, height } = element.getBoundingClientRect();
    const below = at.bottom + GAP + height <= innerHeight - GAP;
    const top = below ? at.bottom + GAP : at.top - GAP - height;
    const { right } = document.body.getBoundingClientRect(); // nothing is drawn in a scroll bar's gutter
    element.style.left = `${between(GAP, at.left, right - GAP - width)}px`;
    element.style.top = `${between(GAP, top, innerHeight - GAP - height)}px`;
  }

  /** Scrolls the word's column so that the sheet does not cover the word. */
  function uncover() {
    const hidden = word.node.getBoundingClientRect().bottom + GAP - element.getBoundingClientRect().top;
    if (hidden <= 0) return;
    scroller = word.node.closest(".turns");
    scroller.classList.add("behind-sheet");
    scroller.scrollTop += hidden;
  }

  function moved() {
    if (word === null) return;
    if (pinned || NARROW.matches) place();
    else close();
  }

  window.addEventListener("resize", moved, { signal });
  return { element, show, pin, leave, enter, close, escape, moved, pinned: () => pinned };
}

/** A token within the word that it is a part of: tokens without a blank in between. */
function inItsWord({ node, text }) {
  const part = (way) => {
    const parts = [];
    for (let one = node[way]; one instanceof HTMLElement; one = one[way]) parts.push(one.textContent);
    return parts;
  };
  const quiet = (parts) => h("span", { class: "quiet" }, parts);
  const before = quiet(part("previousSibling").reverse());
  return ["“", before, quoted(text).slice(1, -1), quiet(part("nextSibling")), "”"];
}

function about(word) {
  const tables = word.tokens.map((token) => candidatesTable(token)).filter(Boolean);
  return [
    h("p", { id: "card-said" }, inSentences(word)),
    tables,
    tables.length > 0 && h("p", { class: "quiet" },
      "Remote: the remote's own chances. Final: after steering, before the draw. With and without: the small "
      + "model's, with what is private and without it."),
  ];
}

const between = (least, value, most) => Math.max(least, Math.min(value, most));
