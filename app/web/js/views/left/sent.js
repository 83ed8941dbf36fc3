/** What a reply sent, as texts: a request's text is that of the request that it goes on from, and its own. */

/** Over the `sent` of a reply's totals; a request is its place in that list. */
export function createSent(requests) {
  /** The requests that a request's text is put together of, the first first. */
  function chain(at) {
    const found = [];
    for (let one = at; one !== null; one = requests[one].after) found.push(one);
    return found.reverse();
  }

  /** The whole text of a request's token ids. */
  const whole = (at) => chain(at).map((one) => requests[one].text).join("");

  /** At least the last `length` characters of what stands in front of a request's own text. */
  function before(at, length) {
    const parts = [];
    let count = 0;
    for (let one = requests[at].after; one !== null && count < length; one = requests[one].after) {
      parts.push(requests[one].text);
      count += requests[one].text.length;
    }
    return parts.reverse().join("");
  }

  const inner = new Set(requests.map(({ after }) => after));
  /** The requests with texts that no other one goes on from: in theirs all texts of token ids stand. */
  const ends = requests.flatMap(({ text }, at) => (text !== undefined && !inner.has(at) ? [at] : []));

  /** All texts that left, each once: those of token ids, and all words of the bodies. */
  const texts = () => [...ends.map(whole), ...requests.flatMap(({ body }) => words(body))];

  return {
    requests, before, chain, ends, texts, whole,
    embedded: requests.some(({ embedded }) => embedded),
    tokens: requests.reduce((sum, { tokens = 0 }) => sum + tokens, 0),
    told: requests.reduce((sum, { tokens = 0, shared = 0 }) => sum + tokens - shared, 0),
  };
}

/** All texts in a JSON value, but its keys. */
export function words(value) {
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(words) : [];
}
