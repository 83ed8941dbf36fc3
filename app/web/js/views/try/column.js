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
 * Gives the element, `id`, `title()`, `send(text, wanted)`, `stop()`, `clear()`, `busy()`, `empty()`, `toEnd()` and
 * `setProfiles(profiles)`. `page` has `card`, `explanation` (the id of what figures mean), `settings()`, and
 * `changed()`, which is called when the title or the work changes.
 */
export function createColumn(profiles, chosen, page) {
  const id = uniqueId("column");
  const heading = h("h2", { id: `${id}-title`, class: "unseen" });
  const profile = select([], "", { "aria-label": "Written for", onchange: retitled });
  const strength = select(STRENGTHS, chosen.strength, { "aria-label": "Strength", onchange: retitled });
  const figures = createFigures(page.explanation);
  const nothing = h("p", { class: "empty" });
  const turns = h("div", { class: "turns", tabindex: "0", role: "group", "aria-labelledby": heading.id }, nothing);
  const scroll = follow(turns);
  const list = [];
  let work = null;

  const tools = h("div", { class: "column-head" }, profile, strength);
  const element = h("section", { class: "column", id, "aria-labelledby": heading.id }, heading, tools, turns, figures.element);
  listen(turns, page.card);
  turns.addEventListener("scroll", page.card.moved, { passive: true });

  function setProfiles(all) {
    const kept = profile.value || chosen.profile;
    const options = [NOBODY, ...all.map((one) => [one.id, one.name])];
    fill(profile, options.map(([value, label]) => h("option", { value }, label)));
    profile.value = options.some(([value]) => value === kept) ? kept : "";
    retitled();
  }

  function title() {
    if (!profile.value || strength.value === "0") return "Remote alone";
    const how = { auto: "", "": ", own strength" }[strength.value] ?? `, strength ${strength.value}`;
    return `${profile.selectedOptions[0].textContent}${how}`;
  }

  function retitled() {
    strength.hidden = !profile.value;
    heading.textContent = title();
    nothing.textContent = profile.value ? `Answers as ${title()} would have it.` : "Answers as the remote does by itself.";
    page.changed();
  }

  function messages() {
    return list.filter((turn) => turn.text()).flatMap((turn) => [
      { role: "user", content: turn.asked },
      { role: "assistant", content: turn.text() },
    ]);
  }

  /** Asks for the next turn. Resolves once it has ended, however it did. */
  async function send(text, wanted) {
    const before = messages();
    list.at(-1)?.actions(null);
    const turn = createTurn(text, title(), { number: list.length + 1, grown: scroll.grown, retry: again });
    list.push(turn);
    nothing.remove();
    turns.append(turn.element);
    scroll.toEnd();
    await write(turn, [...before, { role: "user", content: text }], wanted);
  }

  async function again() {
    const turn = list.pop();
    turn.element.remove();
    page.card.close();
    turns.focus({ preventScroll: true });
    await send(turn.asked, page.settings());
  }

  async function write(turn, conversation, wanted) {
    const mine = { ...wanted, profile: profile.value, strength: profile.value ? strength.value : "0" };
    const live = () => work && figures.show();
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
    try {
      const { request, totals, finish } = await ask(conversation, mine, on, { signal: work.signal });
      turn.end(finish, { request, totals });
      figures.show(totals);
    } catch (error) {
      if (error.name === "AbortError") turn.end("stopped");
      else turn.fail(error);
      figures.show();
    }
    work = null;
    turn.actions(again);
    page.changed();
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
