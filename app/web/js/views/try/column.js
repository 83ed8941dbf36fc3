/** One column: the conversation, as it is answered for one profile at one strength. */

import { fill, h, uniqueId } from "../../dom.js";
import { select } from "../../parts/field.js";
import { ask } from "./ask.js";
import { STRENGTHS } from "./choices.js";
import { createFigures } from "./figures.js";
import { follow } from "./follow.js";
import { onNextFrame } from "./frames.js";
import { createTurn } from "./turn.js";
import { listen } from "./walk.js";

const NOBODY = ["", "Nobody: the remote alone"];

/**
 * Gives the element, `id`, `title()`, `send(text, wanted)`, `stop()`, `clear()`, `busy()`, `empty()`,
 * `toEnd()` and `setProfiles(profiles)`. `page` has `card`, `explanation` (the id of what figures mean),
 * `settings()`, `changed()`, for when the title or the work changes, and `finished(count)`, when replies are.
 */
export function createColumn(profiles, chosen, page) {
  const id = uniqueId("column");
  const heading = h("h2", { id: `${id}-title`, class: "unseen" });
  const profile = select([], "", { "aria-label": "Written for", onchange: retitled });
  const strength = select(STRENGTHS, chosen.strength, { "aria-label": "Strength", onchange: retitled });
  const figures = createFigures(page.explanation);
  const nothing = h("p", { class: "empty" });
  const inside = { class: "turns", tabindex: "0", role: "group", "aria-labelledby": heading.id };
  const turns = h("div", inside, nothing);
  const down = h("button", { class: "button small to-end", type: "button", onclick: toEnd }, "To the end");
  const scroll = follow(turns, (following) => { down.hidden = following; });
  down.hidden = true;
  const list = [];
  let work = null;

  const tools = h("div", { class: "column-head" }, profile, strength);
  const element = h(
    "section",
    { class: "column", id, "aria-labelledby": heading.id },
    heading,
    tools,
    h("div", { class: "turns-frame" }, turns, down),
    figures.element,
  );
  listen(turns, page.card);
  turns.addEventListener("scroll", page.card.moved, { passive: true });

  function setProfiles(all) {
    const kept = profile.options.length ? profile.value : chosen.profile;
    const options = [NOBODY, ...all.map((one) => [one.id, one.name])];
    fill(profile, options.map(([value, label]) => h("option", { value }, label)));
    profile.value = options.some(([value]) => value === kept) ? kept : "";
    retitled();
  }

  const makeOne = () => [h("a", { href: "#people" }, "Make a profile"), ", to see what steering does."];
  const isAlone = () => !profile.value || strength.value === "0";

  function title() {
    if (isAlone()) return "Remote alone";
    const how = { auto: "", "": ", own strength" }[strength.value] ?? `, strength ${strength.value}`;
    return `${profile.selectedOptions[0].textContent}${how}`;
  }

  function retitled() {
    strength.hidden = !profile.value;
    heading.textContent = title();
    const alone = ["What the remote writes by itself. ", profile.options.length === 1 && makeOne()];
    fill(nothing, isAlone() ? alone : [
      `What the remote writes once it is steered for ${title()}. Point at a word, tap it, or go through the `,
      "words by arrow keys, to see why it stands there.",
    ]);
    page.changed();
  }

  function messages() {
    return list.filter((turn) => turn.text()).flatMap((turn) => [
      { role: "user", content: turn.asked },
      { role: "assistant", content: turn.text() },
    ]);
  }

  /** Asks for the next turn. Resolves once it has ended, to whether the reply was finished. */
  async function send(text, wanted) {
    const before = messages();
    list.at(-1)?.offerAgain(false);
    const turn = createTurn(text, title(), { number: list.length + 1, grown, again });
    list.push(turn);
    nothing.remove();
    turns.append(turn.element);
    scroll.toEnd();
    return write(turn, [...before, { role: "user", content: text }], wanted);
  }

  async function again() {
    const turn = list.pop();
    turn.element.remove();
    page.card.close();
    turns.focus({ preventScroll: true });
    if (await send(turn.asked, page.settings())) page.finished(1);
  }

  async function write(turn, conversation, wanted) {
    const mine = { ...wanted, profile: profile.value, strength: profile.value ? strength.value : "0" };
    const live = () => work && figures.live();
    work = new AbortController();
    figures.begin();
    page.changed();
    const on = {
      reason: turn.because,
      piece(text, tokens) {
        figures.token(tokens);
        turn.piece(text, tokens);
        onNextFrame(live);
      },
    };
    let finished = false;
    try {
      const { request, totals, finish } = await ask(conversation, mine, on, { signal: work.signal });
      turn.end(finish, { request, totals });
      figures.show(totals);
      finished = true;
    } catch (error) {
      if (error.name === "AbortError") turn.end("stopped");
      else turn.fail(error);
      figures.show();
      turn.offerAgain(error.name === "AbortError"); // trouble has a button of its own
    }
    work = null;
    if (finished) turn.offerAgain(true);
    page.changed();
    return finished;
  }

  const grown = () => onNextFrame(scroll.grown, "reads");

  function toEnd() {
    turns.focus({ preventScroll: true });
    scroll.toEnd();
  }

  function clear() {
    work?.abort();
    list.length = 0;
    fill(turns, nothing);
    figures.begin();
  }

  setProfiles(profiles);
  return {
    element, id, tools, title, send, clear, setProfiles,
    stop: () => work?.abort(),
    busy: () => work !== null,
    empty: () => list.length === 0,
    toEnd: scroll.grown,
  };
}
