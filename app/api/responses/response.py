"""Builds responses in the format of OpenAI's Responses API: one JSON object, or a stream of typed events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import Any

import anyio
import orjson
from fastapi import Request
from fastapi import Response as HttpResponse

from app.api.chat.detail import partly, whole_detail, why_partly
from app.api.chat.headers import reply_headers
from app.api.chat.recording import Outcome, Record
from app.api.disconnect import while_present
from app.api.error_handlers import unforeseen
from app.api.event_stream import Grace
from app.api.responses.output import INCOMPLETE, Event, Output, told_again
from app.decoding.choices import Choices
from app.errors import CoSteerError
from app.remote.sent import Sent

# Keeps a finished response, without its detail, if that is wanted; False where it cannot be kept.
Keep = Callable[[dict[str, Any]], Awaitable[bool]]


@dataclass(frozen=True, repr=False)
class ResponseOptions:
    """What a response contains. `head` are the fields that are known before it is written.

    `top_logprobs` is None if no logprobs are requested; `started` is when the request arrived, by the
    choices' clock. `cached`: the detail includes KV cache hits; `candidates` is how many of them it lists for
    each token; `sent` has what was sent to the remote, if that is to be told.
    """

    head: Mapping[str, Any]
    started: float
    top_logprobs: int | None = None
    detail: bool = False
    candidates: int = 0
    cached: bool = False
    sent: Sent | None = None

    async def told(self, choices: Choices, seconds: float) -> dict[str, Any]:
        """The detail of the whole; `seconds` is the time since the request arrived."""
        return await whole_detail(choices, seconds, cached=self.cached, sent=self.sent)

    def output(self, choices: Choices) -> Output:
        return Output(choices, self.top_logprobs, detail=self.detail, candidates=self.candidates)


async def whole(
    choices: Choices, options: ResponseOptions, record: Record, keep: Keep, request: Request
) -> HttpResponse:
    """The response as one JSON object. A disconnect cancels it, and frees the remote and the local model."""
    output = options.output(choices)
    await while_present(request, _write(choices, output))
    outcome = await record(output.text)
    body = await _kept(choices, options, output, keep)
    seconds = choices.clock() - options.started
    if options.detail:
        body["costeer"] = await options.told(choices, seconds)
    headers = reply_headers(choices, seconds, outcome)
    return HttpResponse(orjson.dumps(body), media_type="application/json", headers=headers)


async def events(
    choices: Choices, options: ResponseOptions, closing: anyio.Event, record: Record, keep: Keep
) -> AsyncGenerator[dict[str, str], None]:
    """Yields OpenAI's events; the last is response.completed or response.incomplete, or after a failure
    response.failed, behind an error."""
    numbers = count()

    def sent(event: Event) -> dict[str, str]:
        return _sent(event, next(numbers))

    output = options.output(choices)
    grace = Grace(closing, choices.clock)
    for kind in ("response.created", "response.in_progress"):
        yield sent({"type": kind, "response": _unfinished(options, "in_progress", [])})
    try:
        async with aclosing(choices.pieces()) as pieces:
            async for _, piece in pieces:
                for event in output.add(piece):
                    yield sent(event)
                if piece.finish_reason is None:
                    grace.check()
        outcome = await record(output.text)
        response = await _kept(choices, options, output, keep)
        response |= await _in_total(choices, options, outcome)
    except CoSteerError as error:
        failure = error
    except Exception as error:
        failure = unforeseen(error)
    else:
        yield sent({"type": f"response.{response['status']}", "response": response})
        return
    choices.broke = True
    output.fail()
    told = {"code": failure.code or failure.type, "message": failure.message, "param": failure.param}
    yield sent({"type": "error", **told})
    failed = _unfinished(options, "failed", output.items())
    failed["error"] = {"code": _openai_code(failure), "message": failure.message}
    yield sent({"type": "response.failed", "response": failed})


async def again(response: dict[str, Any], after: int) -> AsyncGenerator[dict[str, str], None]:
    """The events of a finished response, those behind the sequence_number `after`."""
    begun = {
        **response,
        "status": "in_progress",
        "completed_at": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    whole = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *told_again(response),
        {"type": f"response.{response['status']}", "response": response},
    ]
    for number, event in enumerate(whole):
        if number > after:
            yield _sent(event, number)


def _sent(event: Event, number: int) -> dict[str, str]:
    return {"event": event["type"], "data": orjson.dumps({**event, "sequence_number": number}).decode()}


async def _write(choices: Choices, output: Output) -> None:
    async with aclosing(choices.pieces()) as pieces:
        async for _, piece in pieces:
            for _event in output.add(piece):
                pass  # they say what the items say


def _unfinished(options: ResponseOptions, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **options.head,
        "status": status,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "output": output,
        "usage": None,
    }


def _finished(
    choices: Choices, options: ResponseOptions, output: Output, *, detail: bool = True
) -> dict[str, Any]:
    reason = INCOMPLETE.get(output.finish_reason or "")
    status = "completed" if reason is None else "incomplete"
    response = _unfinished(options, status, output.items(detail=detail))
    if reason is None:
        response["completed_at"] = int(time.time())
    else:
        response["incomplete_details"] = {"reason": reason}
    response["usage"] = _usage(choices, output)
    return response


async def _kept(choices: Choices, options: ResponseOptions, output: Output, keep: Keep) -> dict[str, Any]:
    """The finished response, which says whether it is one that is kept."""
    can_go_on = await keep(_finished(choices, options, output, detail=False))
    response = _finished(choices, options, output)
    return response if can_go_on else {**response, "store": False}


def _usage(choices: Choices, output: Output) -> dict[str, Any]:
    prompt, written = choices.prompt_tokens, choices.stats.tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": output.reasoning_tokens},
        "total_tokens": prompt + written,
    }


async def _in_total(choices: Choices, options: ResponseOptions, outcome: Outcome | None) -> dict[str, Any]:
    """What was not known when the headers were sent."""
    told = outcome.told() if outcome else {}
    if options.detail:
        told |= await options.told(choices, choices.clock() - options.started)
    elif why_partly(choices.stats) is not None:
        told |= partly(choices)
    return {"costeer": told} if told else {}


def _openai_code(error: CoSteerError) -> str:
    return "rate_limit_exceeded" if error.status == 429 else "server_error"
