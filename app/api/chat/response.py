"""Builds chat completion responses in OpenAI's format: one JSON object, or a stream of chunks (SSE)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson
from fastapi import Request, Response

from app.api.chat.detail import partly, text_detail, token_detail, whole_detail, why_partly
from app.api.chat.headers import reply_headers
from app.api.chat.logprobs import logprobs
from app.api.chat.recording import Outcome, Record
from app.api.disconnect import while_present
from app.api.error_handlers import unforeseen
from app.api.event_stream import Grace
from app.decoding.choices import Choices
from app.decoding.reply import Piece, TokenText
from app.decoding.request import Token
from app.errors import CoSteerError
from app.remote.interface import CallPiece
from app.remote.sent import Sent


@dataclass(frozen=True)
class ResponseOptions:
    """What a response contains. `head` is the beginning of every object: id, created, model.

    `continuous_usage` puts into every chunk the usage of its choice so far, as vLLM does. `top_logprobs` is
    None if no logprobs are requested; `started` is when the request arrived, by the choices' clock. `cached`:
    the detail includes KV cache hits; `candidates` is how many of them it lists for each token; `sent` has
    what was sent to the remote, if that is to be told.
    """

    head: Mapping[str, Any]
    started: float
    include_usage: bool = False
    continuous_usage: bool = False
    top_logprobs: int | None = None
    detail: bool = False
    candidates: int = 0
    cached: bool = False
    sent: Sent | None = None

    async def told(self, choices: Choices, seconds: float) -> dict[str, Any]:
        """The detail of the whole; `seconds` is the time since the request arrived."""
        return await whole_detail(choices, seconds, cached=self.cached, sent=self.sent)


@dataclass
class _Written:
    """The text and tokens of one choice so far."""

    text: str = ""
    token_texts: list[TokenText] = field(default_factory=list)
    finish_reason: str | None = None
    end: Token | None = None
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)  # by index
    by_itself: list[Any] = field(default_factory=list)  # log-probabilities of what the remote wrote by itself

    def add(self, piece: Piece) -> None:
        self.text += piece.text
        self.token_texts += piece.token_texts
        self.finish_reason, self.end = piece.finish_reason, piece.end
        self.by_itself += _content(piece)
        for one in piece.calls:
            function = {"name": one.name, "arguments": ""}
            call = self.calls.setdefault(one.index, {"id": one.id, "type": "function", "function": function})
            call["function"]["arguments"] += one.arguments

    def message(self) -> dict[str, Any]:
        """The message, of which nothing but calls has no content."""
        content = self.text if self.text or not self.calls else None
        said: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
        return {**said, "tool_calls": [*self.calls.values()]} if self.calls else said


async def whole(choices: Choices, options: ResponseOptions, record: Record, request: Request) -> Response:
    """The reply as one JSON object. A disconnect cancels it, which frees the remote and the local model."""
    written = await while_present(request, _write(choices))
    outcome = await record(written[0].text)
    seconds = choices.clock() - options.started
    body = {
        **options.head,
        "object": "chat.completion",
        "choices": [
            {
                "index": index,
                "message": one.message(),
                **_told(choices, options, one.token_texts, one.end, one.by_itself),
                "finish_reason": one.finish_reason,
            }
            for index, one in enumerate(written)
        ],
        "usage": _usage(choices.prompt_tokens, choices.stats.tokens),
    }
    if options.detail:
        body["costeer"] = await options.told(choices, seconds)
    headers = reply_headers(choices, seconds, outcome)
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


async def events(
    choices: Choices, options: ResponseOptions, closing: anyio.Event, record: Record
) -> AsyncGenerator[dict[str, str], None]:
    """Yields OpenAI's chunks, then [DONE]; after a failure an error event, and no [DONE]."""
    head = {**options.head, "object": "chat.completion.chunk"}
    if options.include_usage:
        head["usage"] = None  # in every chunk but the last, as OpenAI does

    def so_far(index: int) -> dict[str, Any]:
        if not options.continuous_usage:
            return {}
        return {"usage": _usage(choices.prompt_tokens, choices.replies[index].stats.tokens)}

    def chunk(index: int, delta: Mapping[str, Any], piece: Piece | None = None) -> dict[str, Any]:
        by_itself = _content(piece) if piece is not None else ()
        told = _told(choices, options, piece.token_texts if piece else None, None, by_itself)
        choice = {"index": index, "delta": delta, **told, "finish_reason": None}
        return {**head, **so_far(index), "choices": [choice]}

    def last_chunk(index: int, piece: Piece) -> dict[str, Any]:
        told = _told(choices, options, None, piece.end)
        choice = {"index": index, "delta": {}, **told, "finish_reason": piece.finish_reason}
        return {**head, **so_far(index), "choices": [choice]}

    text = ""
    outcome: Outcome | None = None
    grace = Grace(closing, choices.clock)
    unfinished = len(choices.replies)
    try:
        for index in range(unfinished):
            yield _event(chunk(index, {"role": "assistant", "content": ""}))
        async with aclosing(choices.pieces()) as pieces:
            async for index, piece in pieces:
                text += piece.text if index == 0 else ""
                if (delta := _delta(piece, options)) is not None:
                    yield _event(chunk(index, delta, piece))
                if piece.finish_reason is not None:
                    unfinished -= 1
                    if index == 0:
                        # Record before the last chunk, which tells the client whether that succeeded.
                        outcome = await record(text)
                    last = last_chunk(index, piece)
                    if not unfinished:
                        last |= await _in_total(choices, options, outcome)
                    yield _event(last)
                else:
                    grace.check()
    except CoSteerError as error:
        choices.broke = True
        yield _event(error.body())
        return
    except Exception as error:
        choices.broke = True
        yield _event(unforeseen(error).body())
        return
    if options.include_usage:
        usage = {**head, "choices": [], "usage": _usage(choices.prompt_tokens, choices.stats.tokens)}
        if options.detail:
            usage["costeer"] = await options.told(choices, choices.clock() - options.started)
        yield _event(usage)
    yield {"data": "[DONE]"}


async def _in_total(choices: Choices, options: ResponseOptions, outcome: Outcome | None) -> dict[str, Any]:
    """The last chunk's fields about the whole reply, which were not known when the headers were sent."""
    told = outcome.told() if outcome else {}
    if options.detail and not options.include_usage:
        told |= await options.told(choices, choices.clock() - options.started)
    elif why_partly(choices.stats) is not None:
        told |= partly(choices)
    return {"costeer": told} if told else {}


async def _write(choices: Choices) -> list[_Written]:
    written = [_Written() for _ in choices.replies]
    async with aclosing(choices.pieces()) as pieces:
        async for index, piece in pieces:
            written[index].add(piece)
    return written


def _told(
    choices: Choices,
    options: ResponseOptions,
    token_texts: Iterable[TokenText] | None,
    end: Token | None,
    by_itself: Sequence[Any] = (),
) -> dict[str, Any]:
    """The requested fields about a choice's tokens. The end token has no text, and so no logprobs.
    `by_itself` are those of what the remote wrote by itself."""
    told: dict[str, Any] = {"logprobs": None}
    if options.top_logprobs is not None and token_texts is not None:
        told["logprobs"] = logprobs(token_texts, options.top_logprobs, choices.vocabulary)
        told["logprobs"]["content"] += by_itself
    if options.detail:
        vocabulary, candidates = choices.vocabulary, options.candidates
        tokens = [token for one in token_texts or () for token in text_detail(one, vocabulary, candidates)]
        tokens += [token_detail(end, vocabulary, candidates)] if end is not None else []
        told["costeer"] = {"tokens": tokens}
    return told


def _content(piece: Piece) -> list[Any]:
    """The log-probabilities of a piece that the remote wrote by itself, as it gives them."""
    content = piece.logprobs.get("content") if piece.logprobs is not None else None
    return content if isinstance(content, list) else []


def _delta(piece: Piece, options: ResponseOptions) -> dict[str, Any] | None:
    """What a chunk says of a piece; None if there is nothing to say."""
    if piece.calls:
        calls = [_call(one) for one in piece.calls]
        return {"content": piece.text, "tool_calls": calls} if piece.text else {"tool_calls": calls}
    told = piece.token_texts and (options.top_logprobs is not None or options.detail)
    return {"content": piece.text} if piece.text or told else None


def _call(piece: CallPiece) -> dict[str, Any]:
    """A piece of a call; the first of each call has its id and name."""
    function = {"arguments": piece.arguments}
    if piece.name is None:
        return {"index": piece.index, "function": function}
    function = {"name": piece.name, **function}
    return {"index": piece.index, "id": piece.id, "type": "function", "function": function}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _event(body: Mapping[str, Any]) -> dict[str, str]:
    return {"data": orjson.dumps(body).decode()}
