"""Replies that the page is made to believe in: given chunks at a given pace, for each request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page

# Answers chat completions with `chunks`, `pace` of them every 20 ms, and all else as before. A pace of 0
# waits after the first chunk until `window.release()`.
STREAM = """
({ chunks, pace, refusal }) => {
  const real = window.fetch;
  const released = new Promise((resolve) => { window.release = resolve; });
  window.asked = [];
  window.fetch = async (path, options) => {
    if (path !== "/v1/chat/completions") return real(path, options);
    window.asked.push({ body: JSON.parse(options.body), headers: options.headers });
    if (refusal) {
      const { status, body, headers } = refusal;
      return new Response(JSON.stringify(body), { status, headers });
    }
    const encoder = new TextEncoder();
    let at = 0;
    const pull = async (controller) => {
      if (at === chunks.length) return controller.close();
      if (pace) await new Promise((resolve) => setTimeout(resolve, 20));
      else if (at > 0) await released;
      if (options.signal.aborted) return;
      for (const end = at + (pace || 1); at < Math.min(end, chunks.length); at += 1) {
        controller.enqueue(encoder.encode(`data: ${chunks[at]}\\n\\n`));
      }
    };
    const start = (controller) => {
      options.signal.addEventListener("abort", () => controller.error(options.signal.reason));
    };
    const body = new ReadableStream({ start, pull });
    return new Response(body, { headers: { "X-CoSteer-Steered": "true" } });
  };
}
"""
TOTALS = {
    "steered": True,
    "strength": "auto",
    "tokens": 3,
    "changed": 1,
    "acceptance": 2 / 3,
    "remote_requests": 4,
    "unassisted": 0,
    "mishap": None,
    "disclosed": {"nats": 1.25, "held": 1, "filled": 1, "said": 2},
}


def token(chosen: str, *, nats: float = 0.0, drafted: str | None = None, **told: Any) -> dict[str, Any]:
    """The detail of a token that steering moved by so many nats, with two candidates."""
    drafted = chosen if drafted is None else drafted
    before = 0.1
    after = before * 2.718281828**nats

    def candidate(number: int, text: str, proposed: str) -> dict[str, Any]:
        return {
            "id": number,
            "token": text,
            "proposed": proposed,
            "remote_prob": before,
            "steered_prob": after,
            "local_probs": [{"with": 0.4, "without": 0.0004}],
            "held": told.get("held_back", False),
        }

    return {
        "drafted": drafted,
        "chosen": chosen,
        "drafted_id": 1,
        "chosen_id": 1 if drafted == chosen else 2,
        "remote_prob": before,
        "steered_prob": after,
        "local_delta": nats,
        "held_back": False,
        "filled": False,
        "candidates": [candidate(1, drafted, "remote"), candidate(2, chosen, "device")],
        **told,
    }


def chunk(text: str, tokens: Sequence[dict[str, Any]], finish_reason: str | None = None) -> str:
    """A chunk of a stream with this text and these tokens."""
    choice = {
        "index": 0,
        "delta": {"content": text} if text else {},
        "costeer": {"tokens": [*tokens]},
        "finish_reason": finish_reason,
    }
    return json.dumps({"choices": [choice]})


def reply(*words: tuple[str, dict[str, Any]], **totals: Any) -> list[str]:
    """The chunks of a whole reply, one a word and its token."""
    end = json.dumps({"choices": [], "costeer": {**TOTALS, **totals}})
    return [*(chunk(text, [one]) for text, one in words), chunk("", [], "stop"), end, "[DONE]"]


def answer_with(page: Page, chunks: Sequence[str] = (), *, pace: int = 1, refusal: Any = None) -> None:
    """Let chat completions of this page be answered so, from now on."""
    page.evaluate(STREAM, {"chunks": [*chunks], "pace": pace, "refusal": refusal})
