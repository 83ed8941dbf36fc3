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

/**
 * Gives the element, `piece(text, tokens)`, `end(finish, { request, totals })`, `fail(error)`, `asked`, `text()`, and
 * `actions(again)`, which puts "Write again" below the reply, or takes it away by null.
 */
export function createTurn(asked, by, { number, grown, retry }) {
  const reply = createReplyText(`Reply: ${by}. Arrow keys go through its words.`, () => {
    offer(reply);
    grown();
  });
  const below = h("div", { class: "below" });
  const left = h("button", { class: "button bare small", type: "button", hidden: true }, "What left");
  const again = h("button", { class: "button bare small", type: "button", hidden: true }, "Write again");
  let reason = null;
  walkable(reply);

  const element = h(
    "article",
    { class: "turn writing", "aria-label": `Turn ${number}` },
    h("p", { class: "asked" }, h("span", { class: "unseen" }, "You: "), asked),
    h("div", { class: "answer" }, h("p", { class: "quiet by" }, by, h("span", { class: "writing-now" }, " · writing")), reply.element, below, h("div", { class: "buttons again" }, left, again)),
  );

  function end(finish, { request, totals } = {}) {
    close();
    const notes = [NOTES[finish], told(totals, reason)].filter(Boolean);
    fill(below, notes.map((text) => h("p", { class: "quiet" }, text)));
    left.hidden = !totals?.sent;
    left.onclick = () => showLeft(totals, { request, reply: reply.text() });
    grown();
  }

  function fail(error) {
    close();
    fill(below, trouble(error, { title: "This reply broke off", retry }));
    grown();
  }

  function close() {
    reply.flush();
    element.classList.remove("writing");
  }

  function actions(act) {
    again.hidden = act === null;
    again.onclick = act;
  }

  return {
    element, asked, end, fail, actions,
    piece: reply.push,
    text: reply.text,
    because: (text) => { reason = text; },
  };
}

/** What left the device for a reply, in a dialog; made when it is looked at, since it asks for the profile. */
function showLeft(totals, context) {
  return openDialog("What left", (close) => [
    whatLeft(totals, context),
    h("div", { class: "buttons" }, h("button", { class: "button", type: "button", onclick: () => close() }, "Close")),
  ], { wide: true });
}

/** Why words were not steered; an empty text where they were, or should not have been. */
function told(totals, reason) {
  if (totals?.mishap) return `${totals.unassisted} of its tokens are not steered: ${totals.mishap}.`;
  if (reason && !["no profile", "strength 0"].includes(reason)) return `Not steered: ${reason}.`;
  return "";
}
