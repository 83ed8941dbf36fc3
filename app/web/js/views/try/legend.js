/** What the marks on words mean, and a switch that turns them off. */

import { h, uniqueId } from "../../dom.js";
import { check } from "../../parts/field.js";

const MARKS = [
  ["m1", "likelier by steering"],
  ["m2", "more"],
  ["m3", "much more"],
  ["changed", "another word than the remote's"],
  ["held", "something held back"],
  ["filled", "filled in on this device"],
];

const WIDE = matchMedia("(min-width: 45rem)");

/**
 * Gives the element, and the `button` that opens it on a phone. `turn(on)` is called by the switch. `signal`
 * ends it.
 */
export function createLegend(turn, signal) {
  const id = uniqueId("legend");
  const button = h("button", { class: "button small", type: "button", popovertarget: id }, "Marks");
  const element = h(
    "div",
    { class: "legend", id, role: "group", "aria-label": "Marks" },
    check("Marks on words", { checked: true, onchange: (event) => turn(event.target.checked) }),
    h("ul", { class: "plain", "aria-label": "What the marks mean" }, MARKS.map(([name, text]) => h(
      "li",
      {},
      h("span", { class: `w ${name}`, "aria-hidden": "true" }, "word"),
      ` ${text}`,
    ))),
  );

  function fit() {
    button.hidden = WIDE.matches;
    if (WIDE.matches) element.removeAttribute("popover");
    else element.setAttribute("popover", "auto");
  }

  WIDE.addEventListener("change", fit, { signal });
  fit();
  return { element, button };
}
