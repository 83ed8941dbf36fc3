/** The only way to the server: its public REST API, with the tab's key if there is one. */

import { keyInUse } from "./key.js";

/** What the server, or the lack of one, said: `status` is 0 where nothing came back. */
export class ApiError extends Error {
  constructor(status, { message, code = null, param = null }, retryAfter = null) {
    super(message);
    this.name = "ApiError";
    Object.assign(this, { status, code, param, retryAfter });
  }
}

/** What is said where nothing came back, and where an answer broke off. */
export const AWAY = "The server does not answer. See whether `costeer serve` still runs, then try again.";
export const BROKEN = "The answer broke off before its end. Try again.";

let askForKey = async () => false;

/** Says what is done when a key is needed: `ask(error)` resolves to whether there is another one now. */
export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

/**
 * The answer to a request, as JSON; an object as `body` is sent as JSON, all else as it is.
 * Throws an ApiError, and an AbortError where `signal` ends it.
 */
export async function request(method, path, options = {}) {
  const answer = await send(method, path, options);
  return answer.status === 204 ? null : (await read(() => answer.json()));
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, body, options) => request("POST", path, { ...options, body });
export const patch = (path, body, options) => request("PATCH", path, { ...options, body });
export const remove = (path, options) => request("DELETE", path, options);

/**
 * The answer itself, for what is no JSON. Throws as `request` does, but not for the statuses of `answers`,
 * and with `quiet` asks for no key.
 */
export async function send(method, path, { body, headers = {}, signal, quiet = false, answers = [] } = {}) {
  const sent = plainObject(body);
  const answer = await reach(path, {
    method,
    signal,
    headers: { ...(sent ? { "Content-Type": "application/json" } : {}), ...headers, ...authorization() },
    body: sent ? JSON.stringify(body) : body,
    cache: "no-store",
    credentials: "omit",
    referrerPolicy: "no-referrer",
  });
  if (answer.ok || answers.includes(answer.status)) return answer;
  const seconds = Number(answer.headers.get("Retry-After"));
  const error = refusal(answer.status, await answer.json().catch(() => null), seconds > 0 ? seconds : null);
  if (error.status === 401 && !quiet && await askForKey(error)) {
    return send(method, path, { body, headers, signal, quiet, answers });
  }
  throw error;
}

/**
 * The events of a stream: `{ event, data }`, with `data` parsed. It ends behind [DONE] and throws an
 * ApiError for an error event, and where the stream ends without [DONE]. `options.heard` is given the
 * answer's headers.
 */
export async function* stream(path, body, options = {}) {
  const answer = await send(options.method ?? "POST", path, { ...options, body });
  options.heard?.(answer.headers);
  for await (const { event, data } of events(answer.body)) {
    if (data === "[DONE]") return;
    const parsed = JSON.parse(data);
    if (parsed.error) throw new ApiError(answer.status, parsed.error);
    yield { event, data: parsed };
  }
  throw new ApiError(0, { message: BROKEN });
}

/** A path's step, or a query's value, as it stands in a URL. */
export const quoted = encodeURIComponent;

/** The headers that carry the tab's key. */
export function authorization() {
  const key = keyInUse();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function* events(readable) {
  const reader = readable.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = "message";
  try {
    for (;;) {
      const { done, value } = await read(() => reader.read());
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line.startsWith("event:")) event = line.slice(6).trim();
        if (line.startsWith("data:")) yield { event, data: line.slice(5).trim() };
        if (line === "") event = "message";
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the reader may have gone already
  }
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new ApiError(0, { message: AWAY });
  }
}

async function read(work) {
  try {
    return await work();
  } catch (error) {
    throw error.name === "AbortError" ? error : new ApiError(0, { message: BROKEN });
  }
}

/** The error of an answer with `status`, whose JSON is `said`, or null where it has none. */
export function refusal(status, said, retryAfter = null) {
  return new ApiError(status, said?.error ?? { message: `The server answered with ${status}.` }, retryAfter);
}

function plainObject(body) {
  return body !== null && typeof body === "object"
    && (Array.isArray(body) || Object.getPrototypeOf(body) === Object.prototype);
}
