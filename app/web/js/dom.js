/** Makes elements. Text only ever becomes text nodes, so that no name or reply is read as markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of HTML: `h("button", { class: "button", onclick: press }, "Save")`.
 * Keys that begin with "on" are listeners, `data` is an object of data attributes, true is an attribute
 * without a value, and false, null and undefined leave one out. `value`, `checked` and the like are set as
 * properties.
 */
export function h(tag, properties = {}, ...children) {
  return build(document.createElement(tag), properties, children);
}

/** Likewise an element of SVG. */
export function svg(tag, properties = {}, ...children) {
  return build(document.createElementNS(SVG, tag), properties, children);
}

/** Puts `children` in the place of all that `node` has. */
export function fill(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

const PROPERTIES = new Set(["value", "checked", "selected", "indeterminate", "disabled", "open"]);

function build(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (PROPERTIES.has(name) && name in node) continue;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...nodes(children));
  // A select has no value before its options, nor a progress one above its maximum.
  for (const [name, value] of Object.entries(properties)) {
    if (PROPERTIES.has(name) && name in node && value !== null && value !== undefined) node[name] = value;
  }
  return node;
}

/** Nodes of nested lists of nodes, texts and numbers, without null, undefined and booleans. */
function nodes(children) {
  return children.flat(Infinity)
    .filter((child) => child !== null && child !== undefined && typeof child !== "boolean")
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

let last = 0;

/** An id that no other element has. */
export function uniqueId(stem) {
  last += 1;
  return `${stem}-${last}`;
}
