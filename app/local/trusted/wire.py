"""What the small model's server is sent and sends: vLLM's completions of one token, for their logprobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from app.errors import TrustedError, TrustedUnfit
from app.prompts.private import PrivatePrompt
from app.steering.formula import FloatArray, IntArray

# vLLM's own bound (0.32, MAX_LOGPROB_TOKEN_IDS).
MOST_IDS = 128
TOKEN = "token_id:"  # noqa: S105  # what vLLM writes before an id with return_tokens_as_token_ids
# vLLM writes this in place of -inf, which JSON has not.
LEAST = -9999.0
# By how much a logprob may be above 0.
ROUNDING = 0.01
NAMED = re.compile(f"{TOKEN}(0|[1-9][0-9]{{0,17}})")


@dataclass(frozen=True)
class ServedModel:
    """A model as the server lists it. `root` is what it was loaded from: a hub id, or a path on the server;
    empty and None if not told."""

    id: str
    max_model_len: int | None
    root: str = ""


class Torn(TrustedError):
    """The likeliest tokens are not all there. vLLM (0.32, its older sampler) leaves them out where the same
    pass has a request with logprob_token_ids."""


def served(listing: bytes) -> list[ServedModel]:
    """The models in a response of /v1/models."""
    return [
        ServedModel(
            str(model["id"]),
            size if type(size := model.get("max_model_len")) is int and size > 0 else None,
            root if isinstance(root := model.get("root"), str) else "",
        )
        for model in orjson.loads(listing)["data"]
    ]


def reading_body(prompts: Sequence[PrivatePrompt], salt: str) -> dict[str, Any]:
    """The request that has the server read prompts, so that it keeps their KV cache."""
    return _body(prompts, salt)


def values_body(prompts: Sequence[PrivatePrompt], salt: str, ids: IntArray) -> dict[str, Any]:
    """The request for the logprobs of these tokens [K] after each prompt; at most MOST_IDS."""
    return {**_body(prompts, salt), "logprobs": len(ids), "logprob_token_ids": ids.tolist()}


def top_body(prompts: Sequence[PrivatePrompt], salt: str, count: int) -> dict[str, Any]:
    """The request for the likeliest tokens after each prompt."""
    return {**_body(prompts, salt), "logprobs": count}


def values(answer: bytes, prompts: int, ids: IntArray) -> FloatArray:
    """[prompts, K]: the logprobs of the tokens `ids` [K]. Raises TrustedError and what malformed answers
    raise; see `_understood` in server.py."""
    names = [f"{TOKEN}{token_id}" for token_id in ids.tolist()]
    told = _rows(answer, prompts)
    try:
        rows = [[row[name] for name in names] for row in told]
    except KeyError:
        raise TrustedUnfit(
            "The server of the small model does not tell the logprobs of the tokens that it is asked for "
            "(logprob_token_ids). Upgrade its vLLM (tested with 0.32)."
        ) from None
    return _logprobs(np.array(rows, np.float64).reshape(prompts, len(ids)))


def tops(answer: bytes, prompts: int, count: int) -> list[IntArray]:
    """The likeliest tokens after each prompt, the likeliest first. Raises Torn, and what `values` raises."""
    found = []
    for row in _rows(answer, prompts):
        ids = np.fromiter(map(_token_id, row), np.int64, len(row))
        logprobs = _logprobs(np.fromiter(row.values(), np.float64, len(row)))
        told = logprobs > LEAST
        if told.sum() < count:
            raise Torn("The server of the small model tells too few of its likeliest tokens. Try again.")
        found.append(ids[told][np.argsort(-logprobs[told], kind="stable")])
    return found


def _body(prompts: Sequence[PrivatePrompt], salt: str) -> dict[str, Any]:
    """Neutral sampling: what is left out, vLLM takes from the model's generation_config.json."""
    if not all(type(prompt) is PrivatePrompt for prompt in prompts):
        raise TypeError("only private prompts go to the server of the small model")
    return {
        "prompt": [list(prompt.ids) for prompt in prompts],
        "max_tokens": 1,
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "return_tokens_as_token_ids": True,
        "cache_salt": salt,
    }


def _rows(answer: bytes, prompts: int) -> list[Mapping[str, float]]:
    """Of each prompt the logprobs at the token behind it, by the tokens' names."""
    choices = orjson.loads(answer)["choices"]
    by_index = {choice["index"]: choice["logprobs"]["top_logprobs"][0] for choice in choices}
    return [by_index[index] for index in range(prompts)]


def _token_id(name: str) -> int:
    if not NAMED.fullmatch(name):
        raise ValueError("a token that is not named by its id")
    return int(name.removeprefix(TOKEN))


def _logprobs(told: FloatArray) -> FloatArray:
    """The same, with no value below LEAST. One that is no number, as null in place of a NaN, would spread
    over all candidates of its position."""
    if np.isnan(told).any():
        raise ValueError("a logprob that is no number")
    if (told > ROUNDING).any():
        raise TrustedUnfit(
            "The server of the small model tells numbers that are no logprobs. Start its vLLM without "
            "--logprobs-mode."
        )
    return np.maximum(told, LEAST)
