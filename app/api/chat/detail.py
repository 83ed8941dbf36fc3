"""The optional `costeer` objects of a response: what steering did, token by token and in total."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from app.api.chat.sent import sent_requests
from app.decoding.choices import Choices
from app.decoding.reply import TokenText
from app.decoding.request import Token
from app.decoding.stats import CALLED, PARTS, SPENT, Stats
from app.remote.sent import Sent
from app.steering.formula import FloatArray, likeliest, log_softmax
from app.tokenization.vocabulary import Vocabulary


def text_detail(text: TokenText, vocabulary: Vocabulary, listed: int = 0) -> list[dict[str, Any]]:
    """The detail of each token that a text consists of."""
    return [token_detail(token, vocabulary, listed, filled=text.filled) for token in text.tokens]


def token_detail(
    token: Token, vocabulary: Vocabulary, listed: int = 0, *, filled: bool = False
) -> dict[str, Any]:
    """The draft token and the chosen token, each with its probability before and after steering.

    Both probabilities are over the same candidates, so they are equal where nothing is steered. `local_delta`
    is the chosen token's, in nats; None if the local model was not used. `held_back`: the guard kept back
    what steering would have chosen. `filled`: it is of a text that a value was written into. `listed` of the
    candidates are in the list, if it is not 0.
    """
    candidates = token.candidates.tolist()
    chosen = candidates.index(token.token_id)
    # A grammar may leave the draft token out.
    drafted = candidates.index(token.drafted_id) if token.drafted_id in candidates else None
    mass = np.exp(token.logprobs).sum()
    before = np.exp(log_softmax(token.remote_logprobs)) * mass
    after = np.exp(token.logprobs)
    return {
        "drafted": vocabulary.token_text(token.drafted_id),
        "chosen": vocabulary.token_text(token.token_id),
        "drafted_id": token.drafted_id,
        "chosen_id": token.token_id,
        "remote_prob": float(before[chosen]),
        "steered_prob": float(after[chosen]),
        "drafted_remote_prob": float(before[drafted]) if drafted is not None else 0.0,
        "drafted_steered_prob": float(after[drafted]) if drafted is not None else 0.0,
        "local_delta": None if token.local_delta is None else float(token.local_delta[chosen]),
        "held_back": token.kept_back,
        "filled": filled,
        **({"candidates": _candidates(token, vocabulary, before, after, listed)} if listed else {}),
    }


def _candidates(
    token: Token, vocabulary: Vocabulary, before: FloatArray, after: FloatArray, listed: int
) -> list[dict[str, Any]]:
    """The `listed` likeliest candidates once steered, and the draft and the chosen token if they are not
    among them, the likeliest first. `before` and `after` [K] are the probabilities without and with steering.
    """
    ids = token.candidates
    remotes = len(ids) if token.listed is None else token.listed
    shown = np.isin(ids, [token.drafted_id, token.token_id])
    shown[likeliest(after, listed)] = True
    order = [index for index in likeliest(after, len(ids)) if shown[index]]
    return [
        {
            "id": int(ids[index]),
            "token": vocabulary.token_text(int(ids[index])),
            "proposed": "remote" if index < remotes else "device",
            "remote_prob": float(before[index]),
            "steered_prob": float(after[index]),
            "local_probs": _local_probs(token, int(index)),
            "held": token.held is not None and bool(token.held[index]),
        }
        for index in order
    ]


def _local_probs(token: Token, index: int) -> list[dict[str, float]] | None:
    """Of a candidate, in each contrast; None if the local model was not used, or has no such token."""
    if token.local is None or not token.local[:, :, index].any():
        return None
    aware, agnostic = np.exp(token.local[:, :, index]).T.tolist()
    return [{"with": one, "without": other} for one, other in zip(aware, agnostic, strict=True)]


async def whole_detail(
    choices: Choices, seconds: float, *, cached: bool, sent: Sent | None
) -> dict[str, Any]:
    """The totals, and what was `sent` to the remote if that was noted."""
    told = totals(choices, seconds, cached=cached)
    if sent is not None:
        told["sent"] = await asyncio.to_thread(sent_requests, sent, choices.vocabulary)
    return told


def totals(choices: Choices, seconds: float, *, cached: bool) -> dict[str, Any]:
    """The cost of all choices together; `seconds` is the time since the request arrived.

    KV cache hits are included only with `cached`, since they depend on what others have asked before.
    """
    stats = choices.stats
    return {
        "steered": choices.unsteered is None,
        "strength": choices.strength,
        "tokens": stats.tokens,
        "changed": stats.changed,
        "acceptance": stats.acceptance,
        "remote_requests": stats.remote_requests,
        "resumed": stats.resumed,
        "drafted": stats.drafted,
        "local_passes": stats.local_passes,
        **({"local_prompt": {"found": stats.found, "prefilled": stats.prefilled}} if cached else {}),
        **partly(choices),
        "disclosed": disclosed(choices),
        "ms": milliseconds(choices, seconds),
    }


def partly(choices: Choices) -> dict[str, Any]:
    """The number of unassisted tokens, and why they or others were not steered."""
    stats = choices.stats
    return {"unassisted": stats.unassisted, "mishap": why_partly(stats)}


def why_partly(stats: Stats) -> str | None:
    """Why tokens that were to be steered are not; None if all are."""
    return stats.mishap or (SPENT if stats.spent else CALLED if stats.called else None)


def disclosed(choices: Choices) -> dict[str, float]:
    """What the replies told the remote: nats, positions that the guard kept back, values that were filled in
    on the device, and words of the private context that no one had said before."""
    stats = choices.stats
    return {"nats": round(stats.nats, 3), "held": stats.held, "filled": stats.filled, "said": stats.said}


def milliseconds(choices: Choices, seconds: float) -> dict[str, float]:
    """The time in each stage, in ms. `proxy` is the rest of the total: prompts, text processing and HTTP.

    Choices that are written concurrently also wait concurrently, so the stages' sum may exceed the total.
    """
    spent = choices.stats.seconds
    ms: dict[str, float] = {part: round(spent[part] * 1000, 3) for part in PARTS}
    total = round(seconds * 1000, 3)
    return {**ms, "proxy": round(max(0.0, total - sum(ms.values())), 3), "total": total}
