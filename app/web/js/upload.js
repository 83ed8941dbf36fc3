/** Sends a form with files, and tells how far it is: `fetch` says nothing of what it has sent. */

import { ApiError, AWAY, authorization, BROKEN, refusal } from "./api.js";

/**
 * Sends `form` to `path`. `onSent(share)` is told how much of it has gone, from 0 to 1, and `onEvent(data)`
 * each event of the answer. Resolves behind [DONE]; throws an ApiError, and an AbortError where `signal` ends
 * it.
 */
export function upload(path, form, { onSent, onEvent, signal }) {
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
      if (asking.status !== 200) reject(refusal(asking.status, said(asking)));
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

/** The answer's JSON; null where it is none, as from a program between. */
function said({ responseText }) {
  try {
    return JSON.parse(responseText);
  } catch {
    return null;
  }
}
