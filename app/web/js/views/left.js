/** What left the device for one reply: every request, what stayed, and the private phrases among it. */

import { get, post, quoted } from "../api.js";
import { mayManage } from "../caller.js";
import { fill, h } from "../dom.js";
import { counted } from "../parts/counted.js";
import { trouble } from "../parts/trouble.js";
import { check, checked } from "./left/check.js";
import { requestList, together } from "./left/requests.js";
import { createSent } from "./left/sent.js";
import { stayed } from "./left/stayed.js";

const HEADERS = `Not shown are the requests' headers: keys for the remote and, where the settings name a header
  for a router, a random number of this conversation. It says no more than that these requests belong together.`;

/**
 * The element for a reply's totals. `costeer` is that object, asked for with `sent`; `request` is the body of
 * the chat completion that was asked for, and `reply` the text of the reply. Its headings are h3.
 */
export function whatLeft(costeer, { request, reply }) {
  if (!costeer?.sent) {
    return h("p", {}, "What this reply sent was not noted: it was passed on, or broke off before its end.");
  }
  const sent = createSent(costeer.sent);
  const about = h("div", { class: "stack" }, h("p", { class: "quiet" }, "Looking at the profile …"));
  showStayed(about, sent, costeer, { request, reply });
  return h(
    "div",
    { class: "left stack" },
    h("p", { class: "lead", tabindex: -1, autofocus: true }, summary(sent)),
    h("p", {}, choice(costeer)),
    h(
      "section",
      { class: "stack" },
      h("h3", {}, sent.embedded ? "What a remote would have read" : "What the remote read"),
      sent.tokens > sent.told && h("p", { class: "quiet" }, "A line stands where the next request began."),
      together(sent),
      sent.requests.length ? requestList(sent) : h("p", {}, "There was no request."),
      !sent.embedded && h("p", { class: "quiet" }, HEADERS),
    ),
    h("section", { class: "stack" }, h("h3", {}, "What never left"), about),
  );
}

function summary(sent) {
  const requests = counted(sent.requests.length, "request");
  const read = [once(sent), again(sent)].join(" ").trim();
  if (!sent.embedded) return `For this reply ${requests} left the device. ${read}`;
  return `Nothing left the device: the remote is a model inside this server. A remote would have read
    ${requests}. ${read}`;
}

function once({ requests, told: tokens }) {
  return `${requests.length === 1 ? "It has" : "Put together they have"} ${counted(tokens, "token")} of text.`;
}

function again({ tokens, told }) {
  if (tokens === told) return "";
  return `Each draft sends the conversation again, so that it comes to ${counted(tokens, "token")} in all.`;
}

function choice({ steered, disclosed }) {
  if (!steered) return "Nothing steered this reply, so its words tell nothing of anybody but what you wrote.";
  return `By its choice of words it told ${disclosed.nats.toFixed(1)} nats: what a reader who knows the
    remote's own odds learns from it on average. To tell two people apart takes 0.7, one in a thousand 6.9.
    Private words that nobody had said before: ${disclosed.said}.`;
}

async function showStayed(holder, sent, costeer, context) {
  const retry = () => showStayed(holder, sent, costeer, context);
  try {
    const profile = await profileOf(context.request);
    if (profile === null) {
      fill(holder, h("p", {}, "No profile was read for this reply, so nothing of one could leave."));
      return;
    }
    const preview = await previewOf(profile, context.request);
    const where = sent.embedded ? "what a remote would have read" : "what left";
    fill(
      holder,
      h("p", {}, "None of this was put into any request:"),
      stayed(preview, costeer, context.request),
      h("h3", {}, "Does any private phrase stand in it all the same?"),
      check(checked(preview, sent, context), where),
      h("p", { class: "quiet" }, "By the profile and its history as they are now."),
    );
  } catch (error) {
    fill(holder, trouble(error, { title: "What stayed cannot be shown", retry }));
  }
}

/** The id of the profile that a request is for: the one that it names, the key's, or the default one. */
async function profileOf({ profile }) {
  if (profile) return profile;
  const [{ data }, all] = await Promise.all([get("/v1/profiles"), mayManage()]);
  return ((all ? data.find((one) => one.default) : data[0]) ?? null)?.id ?? null;
}

function previewOf(profile, { messages, strength, costeer = {} }) {
  const { preferences, disclosure, budget } = costeer;
  const asked = { messages, strength, preferences, disclosure, budget };
  return post(`/v1/profiles/${quoted(profile)}/preview`, asked);
}
