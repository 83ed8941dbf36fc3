/** A request's fields in words. */

import { counted } from "../../parts/counted.js";

/** What a request is for. */
export function purpose({ endpoint, body, tokens }) {
  if (endpoint.endsWith("/chat/completions")) return "Go on by itself";
  if (endpoint.endsWith("/completions")) return "Draft";
  if (endpoint.endsWith("/detokenize")) return "Text of tokens";
  if (endpoint.endsWith("/tokenize")) return `Tokens of ${body.messages ? "the conversation" : "a text"}`;
  if (endpoint.endsWith("/models")) return "List of models";
  return tokens ? "Tokens" : "Question";
}

/** What a draft, or a reply that goes on by itself, was asked to be: a sentence; empty for other requests. */
export function asked({ endpoint, body, allowed }) {
  if (!endpoint.endsWith("/completions")) return "";
  const limits = [
    body.max_tokens ? `at most ${counted(body.max_tokens, "token")}` : null,
    typeof body.logprobs === "number" ? `the ${counted(body.logprobs, "likeliest candidate")} of each` : null,
    allowed ? `one of ${counted(allowed, "token")} that the format allows` : null,
  ];
  return `${sentence(limits)} ${sentence([...sampling(body)])}`.trim();
}

const NEUTRAL = {
  top_p: 1,
  top_k: 0,
  min_p: 0,
  presence_penalty: 0,
  frequency_penalty: 0,
  repetition_penalty: 1,
};

function* sampling(body) {
  if (body.temperature === 0) yield "always the likeliest";
  else if (body.temperature !== undefined) yield `temperature ${short(body.temperature)}`;
  for (const [name, neutral] of Object.entries(NEUTRAL)) {
    const value = body[name] ?? neutral;
    if (value !== neutral) yield `${spaced(name)} ${short(value)}`;
  }
  if (body.seed !== undefined) yield `seed ${body.seed}`;
  if (body.logit_bias) yield `bias on ${counted(Object.keys(body.logit_bias).length, "token")}`;
  if (body.tools) yield counted(body.tools.length, "tool");
}

function sentence(parts) {
  const text = parts.filter(Boolean).join(", ");
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** A field's name as words. */
export function spaced(name) {
  return name.replaceAll("_", " ");
}

function short(number) {
  return String(Number(number.toPrecision(4)));
}
