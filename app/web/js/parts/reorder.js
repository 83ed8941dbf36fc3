/** Puts the items of a list into another order: by dragging a handle, and by Alt with the arrow keys. */

const EDGE = 72; // pixels from the window's edge within which a drag scrolls

/**
 * Lets the children of `list` that have `data-id` be moved. `move(id, to)` is called with the place that an
 * item is let go at, among those. A handle has `data-handle`; its `touch-action` has to be none.
 */
export function reorderable(list, move) {
  list.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-handle]");
    if (!handle || event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    handle.focus();
    drag(list, handle.closest("[data-id]"), event, move);
  });
  list.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const item = event.target.closest("[data-id]");
    if (!event.altKey || !by || !item || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    const to = items(list).indexOf(item) + by;
    if (to >= 0 && to < items(list).length) move(item.dataset.id, to);
  });
}

/** The items in the order in which they stand. */
export function items(list) {
  return [...list.children].filter((child) => child.dataset.id !== undefined);
}

/** Brings `elements` into the list in this order; one that has the focus keeps it. */
export function arrange(list, elements) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  for (const child of [...list.children]) if (!elements.includes(child)) child.remove();
  elements.forEach((element, place) => {
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
  });
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function drag(list, item, start, move) {
  const handle = start.target.closest("[data-handle]");
  const before = items(list);
  const others = before.filter((one) => one !== item);
  const from = before.indexOf(item);
  let place = from;
  const over = (event) => {
    scrollAtEdges(event.clientY);
    const next = others.findIndex((one) => event.clientY < middle(one));
    place = next < 0 ? others.length : next;
    around(list, item, others, place);
  };
  const end = (kept) => {
    for (const [name, listener] of listeners) document.removeEventListener(name, listener);
    item.classList.remove("dragged");
    if (kept && place !== from) move(item.dataset.id, place);
    else around(list, item, others, from);
  };
  const listeners = [
    ["pointermove", over],
    ["pointerup", () => end(true)],
    ["pointercancel", () => end(false)],
    ["keydown", (event) => event.key === "Escape" && end(false)],
  ];
  for (const [name, listener] of listeners) document.addEventListener(name, listener);
  handle.setPointerCapture(start.pointerId);
  item.classList.add("dragged");
}

/** Puts the first `place` of the others above the item, the rest below; itself it stays, with the drag. */
function around(list, item, others, place) {
  const now = items(list).filter((one) => one !== item);
  if (items(list).indexOf(item) === place && now.every((one, at) => one === others[at])) return;
  for (const one of others.slice(0, place)) list.insertBefore(one, item);
  for (const one of others.slice(place).reverse()) item.after(one);
}

function middle(element) {
  const { top, height } = element.getBoundingClientRect();
  return top + height / 2;
}

function scrollAtEdges(y) {
  if (y < EDGE) window.scrollBy(0, y - EDGE);
  else if (y > window.innerHeight - EDGE) window.scrollBy(0, y - window.innerHeight + EDGE);
}
