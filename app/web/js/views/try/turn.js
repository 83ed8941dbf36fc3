/** One turn of a column: what was asked, and the reply to it. */

import { fill, h } from "../../dom.js";
import { openDialog } from "../../parts/dialog.js";
import { trouble } from "../../parts/trouble.js";
import { whatLeft } from "../left.js";
import { createReplyText } from "./reply_text.js";
import { offer, walkable } from "./walk.js";

const NOTES = {
  length: "It ends here, since it has reached the length in Settings.",
  content_filter: "The remote has ended it here.",
  stopped: "Stopped.",
};
const UNTOLD = "What left is told when a reply ends by itself; for this one it is not known.";
const PASSED = "What left was not noted: the server passed this reply on.";

/**
 * Gives the element, `piece(text, tokens)`, `because(reason)`, `end(finish, { request, totals })`,
 * `fail(error)`, `asked`, `text()`, and `offerAgain(bool)`: "Write again" below, which calls `again`.
 */
export function createTurn(asked, by, { number, grown, again }) {
  const reply = createReplyText(`Reply: ${by}. Arrow keys go through its words.`, () => {
    offer(reply);
    grown();
  });
  const below = h("div", { class: "below" });
  const left = h("button", { class: "button bare small", type: "button" }, "What left");
  const anew = h("button", { class: "button bare small", type: "button", onclick: again }, "Write again");
  let reason = null;
  left.hidden = anew.hidden = true;
  walkable(reply);

  const element = h(
    "article",
    { class: "turn writing", "aria-label": `Turn ${number}` },
    h("p", { class: "asked" }, h("span", { class: "unseen" }, "You: "), asked),
    h(
      "div",
      { class: "answer" },
      h("p", { class: "quiet by" }, by, h("span", { class: "writing-now" }, " · writing")),
      reply.element,
      below,
      h("div", { class: "buttons again" }, left, anew),
    ),
  );

  function end(finish, { request, totals } = {}) {
    close();
    const notes = [NOTES[finish], told(totals, reason), unknown(finish, totals)].filter(Boolean);
    fill(below, notes.map((text) => h("p", { class: "quiet" }, text)));
    left.hidden = !totals?.sent;
    left.onclick = () => showLeft(totals, { request, reply: reply.text() });
    grown();
  }

  function fail(error) {
    close();
    const title = reply.text() ? "This reply broke off" : "No reply came";
    fill(below, trouble(error, { title, retry: again }), reply.text() && h("p", { class: "quiet" }, UNTOLD));
    grown();
  }

  function close() {
    reply.flush();
    element.classList.remove("writing");
  }

  function offerAgain(wanted) {
    anew.hidden = !wanted;
  }

  return {
    element, asked, end, fail, offerAgain,
    piece: reply.push,
    text: reply.text,
    because: (text) => { reason = text; },
  };
}

/** What left the device for a reply, in a dialog; made when it is looked at, since it asks the server. */
function showLeft(totals, context) {
  return openDialog("What left", (close) => [
    whatLeft(totals, context),
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button", type: "button", onclick: () => close() }, "Close"),
    ),
  ], { wide: true });
}

/** Why it is not known what left; an empty text where it is. */
function unknown(finish, totals) {
  if (finish === "stopped") return UNTOLD;
  return totals?.sent ? "" : PASSED;
}

/** Why words were not steered; an empty text where they were, or should not have been. */
function told(totals, reason) {
  if (totals?.mishap) return `${totals.unassisted} of its tokens are not steered: ${totals.mishap}.`;
  if (reason && !["no profile", "strength 0"].includes(reason)) return `Not steered: ${reason}.`;
  return "";
}
