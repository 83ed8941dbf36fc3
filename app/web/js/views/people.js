/** The view People: the list of profiles, and one of them opened. */

import { get } from "../api.js";
import { mayManage } from "../caller.js";
import { fill, h } from "../dom.js";
import { trouble } from "../parts/trouble.js";
import { listView } from "./people/list.js";
import { personView } from "./people/person.js";

/** Makes the view: its element, and what is done when it is shown and hidden. */
export function createPeople() {
  const place = h("div", {});
  const element = h("section", { class: "view narrow" }, place);
  let opened = null; // the page of the profile that is open
  let last = null; // the id of the profile that was

  const focused = () => place.contains(document.activeElement);

  function put(content, focus) {
    fill(place, content);
    if (focus) (place.querySelector(`[data-profile="${last}"]`) ?? place.querySelector("h1")).focus();
  }

  /** The list, or with a profile's key that profile; `focus` says where the reader is. */
  async function showList({ focus }) {
    opened = null;
    try {
      const [manage, { data }] = await Promise.all([mayManage(), get("/v1/profiles")]);
      const here = focus || focused();
      if (!manage) return open(data[0], { manage, focus: here });
      put(listView(data, (profile) => open(profile, { manage })), here);
    } catch (error) {
      const retry = () => showList({ focus: true });
      const words = trouble(error, { title: "The profiles could not be read", retry });
      put([h("h1", { tabindex: "-1" }, "People"), words], focus || focused());
    }
    return undefined;
  }

  function open(profile, { manage, focus = true }) {
    last = profile.id;
    opened = personView(profile, {
      manage,
      back: manage ? () => showList({ focus: true }) : null,
      gone: () => showList({ focus: true }),
      replaced: (newer) => open(newer, { manage }),
    });
    fill(place, opened.element);
    if (focus) {
      window.scrollTo(0, 0);
      place.querySelector("h1").focus();
    }
  }

  function onFocus() {
    if (opened) opened.refresh();
  }

  put(h("h1", { tabindex: "-1" }, "People"), false);
  return {
    element,
    shown() {
      if (!opened) showList({ focus: false });
      else opened.refresh();
      window.addEventListener("focus", onFocus);
    },
    hidden() {
      window.removeEventListener("focus", onFocus);
    },
  };
}
