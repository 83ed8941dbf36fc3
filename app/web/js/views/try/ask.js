/** One reply of the server, as it streams. */

import { stream } from "../../api.js";

// How many candidates of each token are told.
const CANDIDATES = 6;

/**
 * Asks for a reply to `messages`, as `wanted` has it: `profile` ("" for nobody), `strength` ("" for the
 * profile's own), `model`, `temperature`, `length`, `seed`, `record`. Calls `on.piece(text, tokens)`,
 * `on.reason(text)` where it is not steered, and resolves to `{ request, totals, finish }`. Throws as
 * `stream`.
 */
export async function ask(messages, wanted, on, { signal }) {
  const headers = wanted.record ? {} : { "X-CoSteer-Record": "off" };
  const request = body(messages, wanted);
  const events = stream("/v1/chat/completions", request, { headers, signal, heard });
  const told = { request, totals: null, finish: null };

  function heard(answer) {
    if (answer.get("X-CoSteer-Steered") !== "true") on.reason(answer.get("X-CoSteer-Reason") ?? "");
  }

  for await (const { data } of events) {
    const choice = data.choices?.[0];
    if (choice?.delta?.content) on.piece(choice.delta.content, choice.costeer?.tokens ?? []);
    else if (choice?.costeer?.tokens.length && !choice.finish_reason) on.piece("", choice.costeer.tokens);
    told.finish = choice?.finish_reason ?? told.finish;
    if (data.costeer) told.totals = { ...told.totals, ...data.costeer };
  }
  return told;
}

function body(messages, { profile, strength, model, temperature, length, seed }) {
  return {
    model,
    messages,
    temperature,
    max_tokens: length,
    seed,
    stream: true,
    stream_options: { include_usage: true },
    costeer: { detail: true, candidates: CANDIDATES, sent: true },
    ...(profile ? { profile } : {}),
    ...(strength === "" ? {} : { strength: strength === "auto" ? "auto" : Number(strength) }),
  };
}
