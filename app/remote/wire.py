"""vLLM's wire format: server-sent events, chunks of draft tokens, sampling fields, lists of models."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import numpy as np
import orjson

from app.errors import RemoteError, RemoteTimeout
from app.prompts.message import Message, Tool
from app.remote.errors import from_error
from app.remote.handover import check_messages, check_plain
from app.remote.interface import DraftToken, ModelCard
from app.steering.formula import FloatArray
from app.steering.sampling import SamplingParams

# The name with gpu_ is that of vLLM 0.8 and 0.9.
HITS = re.compile(rb"^vllm:(?:gpu_)?prefix_cache_hits_total(?:\{[^\n]*\})? ([0-9.eE+-]+)", re.MULTILINE)
# Bytes; an event with 1000 candidates of a token has some 60,000.
MOST_OF_A_LINE = 8 * 2**20
TOKEN_PREFIX = "token_id:"  # noqa: S105  # what vLLM writes before an id with return_tokens_as_token_ids


@contextmanager
def understood() -> Iterator[None]:
    """Raise malformed responses as RemoteError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RemoteError(
            "The remote's answer is not a vLLM's. COSTEER_REMOTE_BASE_URL should end in a vLLM's /v1."
        ) from error


def answered(said: bytes) -> dict[str, Any]:
    """The JSON of a success. Raises RemoteError for anything else; gateways send errors with status 200."""
    with understood():
        answer: dict[str, Any] = orjson.loads(said)
        error = answer.get("error")
    if error:
        raise from_error(error, RemoteError.status)
    return answer


def unstreamed(said: bytes) -> RemoteError:
    """What is said of a whole answer where a stream was asked for. Raises the error that it may be."""
    answered(said)
    return RemoteError(
        "The remote answers all at once where a stream is asked for. A gateway before it has to let the "
        "field stream through."
    )


def cards(listing: bytes) -> list[ModelCard]:
    """The models in a response of /v1/models."""
    return [
        ModelCard(
            str(model["id"]),
            model.get("max_model_len"),
            created=created if isinstance(created := model.get("created"), int) else 0,
            owned_by=owner if isinstance(owner := model.get("owned_by"), str) else "remote",
        )
        for model in answered(listing)["data"]
    ]


def sampling_fields(sampling: SamplingParams) -> dict[str, Any]:
    """Every field, neutral ones too: vLLM fills omitted ones from the model's generation_config."""
    fields: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.logit_bias:
        fields["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    if sampling.allowed_token_ids:
        fields["allowed_token_ids"] = list(sampling.allowed_token_ids)
    if sampling.seed is not None:
        fields["seed"] = sampling.seed
    return fields


def draft_body(
    prompt: Sequence[int], sampling: SamplingParams, top_logprobs: int, max_tokens: int
) -> dict[str, Any]:
    """The request for a draft, without the model. Raises TypeError for a prompt that is not of token ids."""
    ids = list(prompt)
    if not all(isinstance(token_id, int) for token_id in ids):
        raise TypeError("only token ids of the public prompt go to the remote")
    return {
        "prompt": ids,
        "max_tokens": max_tokens,
        "logprobs": top_logprobs,
        "stream": True,
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        **sampling_fields(sampling),
    }


def tokenize_body(
    messages: Sequence[Message], *, continue_final: bool, tools: Sequence[Tool], opens: bool
) -> dict[str, Any]:
    """The request for the token ids of a conversation, without the model. Raises TypeError for what is not
    public."""
    check_messages(messages)
    check_plain(list(tools))
    body: dict[str, Any] = {"messages": [message.wire() for message in messages]}
    body["add_generation_prompt"] = opens and not continue_final
    if continue_final:
        body["continue_final_message"] = True
    if tools:
        body["tools"] = list(tools)
    return body


def tokenize_text_body(text: str) -> dict[str, Any]:
    """The request for the token ids of plain text, without the model."""
    return {"prompt": text, "add_special_tokens": False}


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of server-sent events, however the bytes are chunked. Splits at line feeds only: the JSON may
    hold other line separators unescaped, at which str.splitlines would cut it."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
        if len(rest) > MOST_OF_A_LINE:
            raise RemoteError("The remote's stream has a line without an end.")


async def timely(arriving: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """What arrives; raises RemoteTimeout when nothing more does for `seconds` after something has.

    The first may take as long as it likes; for that there is the connection's own timeout.
    """
    limit: float | None = None
    while True:
        try:
            with anyio.fail_after(limit):
                data = await anext(arriving)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RemoteTimeout(
                f"The remote stopped in the middle of a reply, and said nothing more for {seconds:g} s. Try "
                "again, or raise COSTEER_REMOTE_TOKEN_TIMEOUT."
            ) from None
        yield data
        limit = seconds


def drafted_positions(data: bytes, *, begun: bool = False) -> tuple[list[DraftToken], str | None]:
    """The draft tokens of one event, which may hold several or none, and its finish_reason. `begun`: there
    were some in an earlier one."""
    chunk = orjson.loads(data)
    if "error" in chunk:
        raise from_error(chunk["error"], RemoteError.status, begun=begun)
    if not chunk["choices"]:  # the usage event
        return [], None
    (choice,) = chunk["choices"]
    finish_reason: str | None = choice["finish_reason"]
    logprobs = choice["logprobs"]
    if logprobs is None:
        if choice["text"]:
            raise RemoteError(
                "The remote sends text without logprobs. It has to be a vLLM of 0.8 or later, and a gateway "
                "before it to let the field logprobs through."
            )
        return [], finish_reason
    ids = choice.get("token_ids")
    if ids is None:  # before vLLM 0.10.2
        ids = [_token_id(token) for token in logprobs["tokens"]]
    positions = [
        DraftToken(
            token_id=_checked(token_id),
            candidates=np.fromiter(map(_token_id, top), np.int64, len(top)),
            logprobs=_numbers(np.fromiter(top.values(), np.float64, len(top))),
            ends=finish_reason == "stop" and index == len(ids) - 1,
        )
        for index, (token_id, top) in enumerate(zip(ids, logprobs["top_logprobs"], strict=True))
    ]
    return positions, finish_reason


def token_strings(tokenized: bytes) -> list[tuple[int, str]]:
    """The tokens in a response of /tokenize, each with its string in the vocabulary."""
    with understood():
        answer = orjson.loads(tokenized)
        ids: list[int] = answer["tokens"]
        strings: list[str | None] | None = answer.get("token_strs")
        if strings is not None:
            return [(token_id, token or "") for token_id, token in zip(ids, strings, strict=True)]
    raise RemoteError("The remote does not tell the strings of its tokens, as vLLM does (tested with 0.32).")


def prefix_cache_hits(metrics: bytes) -> float | None:
    """The hit counter in vLLM's Prometheus metrics, summed over its engines; None where there is none."""
    counted = [float(value) for value in HITS.findall(metrics)]
    return sum(counted) if counted else None


def _token_id(token: str) -> int:
    if not token.startswith(TOKEN_PREFIX):
        raise RemoteError(
            "The remote does not return tokens as ids. It has to be a vLLM of 0.8 or later, and a gateway "
            "before it to let the fields return_tokens_as_token_ids and return_token_ids through, or vLLM to "
            "be started with --return-tokens-as-token-ids."
        )
    return _checked(int(token[len(TOKEN_PREFIX) :]))


def _checked(token_id: object) -> int:
    """An id below 0 would be read from the end of a vocabulary."""
    if type(token_id) is not int or token_id < 0:
        raise ValueError("no token id")
    return token_id


def _numbers(logprobs: FloatArray) -> FloatArray:
    """One that is no number, as null in place of a NaN, would spread over all candidates of its position."""
    if np.isnan(logprobs).any():
        raise ValueError("a logprob that is no number")
    return logprobs
