/** Sends a form with files, and tells how far it is: `fetch` says nothing of what it has sent. */

import { ApiError, authorization } from "./api.js";

const AWAY = "The server does not answer. See whether `costeer serve` still runs, then try again.";
const BROKEN = "The answer broke off before its end. Try again.";

/**
 * Sends `form` to `path`. `onSent(share)` is told how much of it has gone, from 0 to 1, and `onEvent(data)`
 * each event of the answer. Resolves behind [DONE]; throws an ApiError, and an AbortError where `signal` ends
 * it.
 */
export function upload(path, form, { onSent = () => {}, onEvent = () => {}, signal }) {
  return new Promise((resolve, reject) => {
    const asking = new XMLHttpRequest();
    const read = eventReader(onEvent);
    const fail = (error) => {
      reject(error);
      asking.abort();
    };
    const take = () => {
      if (asking.status !== 200) return;
      try {
        read(asking.responseText);
      } catch (error) {
        fail(error);
      }
    };
    asking.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 0);
    asking.upload.onload = () => onSent(1);
    asking.onprogress = take;
    asking.onerror = () => reject(new ApiError(0, { message: AWAY }));
    asking.onload = () => {
      take();
      if (asking.status !== 200) reject(refusal(asking));
      else if (read.done()) resolve();
      else reject(new ApiError(0, { message: BROKEN }));
    };
    const stop = () => fail(new DOMException("stopped", "AbortError"));
    if (signal?.aborted) return stop();
    signal?.addEventListener("abort", stop);
    asking.onloadend = () => signal?.removeEventListener("abort", stop);
    asking.open("POST", path);
    for (const [name, value] of Object.entries(authorization())) asking.setRequestHeader(name, value);
    return asking.send(form);
  });
}

/** Reads the events of an answer that grows; throws an ApiError for an event of an error. */
function eventReader(onEvent) {
  let place = 0;
  let done = false;
  const read = (text) => {
    for (let end = text.indexOf("\n", place); end >= 0; end = text.indexOf("\n", place)) {
      const line = text.slice(place, end).trimEnd();
      place = end + 1;
      if (!line.startsWith("data:")) continue;
      const data = line.slice(5).trim();
      if (data === "[DONE]") {
        done = true;
        continue;
      }
      const told = JSON.parse(data);
      if (told.error) throw new ApiError(200, told.error);
      onEvent(told);
    }
  };
  return Object.assign(read, { done: () => done });
}

function refusal(asking) {
  let told = { message: `The server answered with ${asking.status}.` };
  try {
    told = JSON.parse(asking.responseText).error ?? told;
  } catch {
    // no JSON, as from a program between
  }
  return new ApiError(asking.status, told);
}
