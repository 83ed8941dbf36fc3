/** What went wrong, in words, and what to do about it. */

import { h } from "../dom.js";

const HINTS = {
  remote_unavailable: "Look at State for the remote, then try again.",
  remote_unauthorized: "Set COSTEER_REMOTE_API_KEY to a key that the remote takes, and start the server again.",
  store_error: "Another program may be using the database. Try again in a moment.",
  profile_not_found: "It may have been deleted in another window. "
    + "Copy what you want to keep, then load the page again.",
};

/** A block for an error, with `retry` behind a button if there is one. */
export function trouble(error, { title = "That did not work", retry = null, act = "Try again" } = {}) {
  const button = retry && h("button", { class: "button small", type: "button", onclick: retry }, act);
  return h(
    "div",
    { class: "trouble", role: "alert" },
    h("p", {}, h("strong", {}, title)),
    h("p", {}, inWords(error)),
    button && h("div", { class: "buttons" }, button),
  );
}

/** An error as a sentence or two: the server's words, and what to do where they do not say it. */
export function inWords(error) {
  const wait = error.retryAfter ? `There is room again in about ${error.retryAfter} seconds.` : "";
  const message = error.name === "ApiError" ? error.message : "The page itself made a mistake. Load it again.";
  return [message, HINTS[error.code] ?? "", wait].filter(Boolean).join(" ");
}
