"""POST /v1/chat/completions: from OpenAI's request to a reply, whole or as server-sent events."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import anyio
import orjson
from fastapi import APIRouter, Header, Response
from sse_starlette import EventSourceResponse

from app.api.deps import PartsDep, choose_profile
from app.api.failures import shutting_down, unforeseen
from app.errors import CoSteerError
from app.schemas import ChatRequest
from app.writer import Order, Reply

# At DEBUG it would log every chunk of a reply.
logging.getLogger("sse_starlette").setLevel(logging.INFO)
router = APIRouter()

PING_SECONDS = 15
# After a signal a stream ends with its next piece; one that waits for the remote is cut off after these.
STALLED_SECONDS = 5


@router.post("/v1/chat/completions")
async def chat_completions(
    body: ChatRequest, parts: PartsDep, x_costeer_profile: Annotated[str | None, Header()] = None
) -> Response:
    """A reply to the conversation, steered by the chosen profile."""
    profile = await choose_profile(parts.store, x_costeer_profile, body.profile)
    reply = await parts.writer.prepare(
        Order(
            model=body.model,
            messages=tuple(message.message() for message in body.messages),
            sampling=body.sampling(),
            max_tokens=body.token_limit,
            stop=body.stops(),
            profile=profile,
            strength=parts.strength if body.strength is None else body.strength,
        )
    )
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        closing = anyio.Event()
        return EventSourceResponse(
            _events(reply, head, closing, include_usage=usage),
            sep="\n",
            ping=PING_SECONDS,
            shutdown_event=closing,
            shutdown_grace_period=STALLED_SECONDS,
        )
    return Response(orjson.dumps(await _whole(reply, head)), media_type="application/json")


async def _whole(reply: Reply, head: dict[str, Any]) -> dict[str, Any]:
    text, finish_reason = [], None
    async with aclosing(reply.pieces()) as pieces:
        async for piece in pieces:
            text.append(piece.text)
            finish_reason = piece.finish_reason
    message = {"role": "assistant", "content": "".join(text), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(reply)}


async def _events(
    reply: Reply, head: dict[str, Any], closing: anyio.Event, *, include_usage: bool
) -> AsyncGenerator[dict[str, str], None]:
    """OpenAI's chunks, then [DONE]; after a failure an error event in their place."""
    head = {**head, "object": "chat.completion.chunk"}
    if include_usage:
        head["usage"] = None  # on every chunk but the last, as OpenAI has it
    try:
        yield _chunk(head, {"role": "assistant", "content": ""}, None)
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                if piece.text:
                    yield _chunk(head, {"content": piece.text}, None)
                if piece.finish_reason is not None:
                    yield _chunk(head, {}, piece.finish_reason)
                elif closing.is_set():
                    raise shutting_down()
    except CoSteerError as error:
        yield {"data": orjson.dumps(error.body()).decode()}
        return
    except Exception as error:
        yield {"data": orjson.dumps(unforeseen(error).body()).decode()}
        return
    if include_usage:
        yield {"data": orjson.dumps({**head, "choices": [], "usage": _usage(reply)}).decode()}
    yield {"data": "[DONE]"}


def _chunk(head: dict[str, Any], delta: dict[str, str], finish_reason: str | None) -> dict[str, str]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {"data": orjson.dumps({**head, "choices": [choice]}).decode()}


def _usage(reply: Reply) -> dict[str, int]:
    prompt, completion = reply.prompt_tokens, reply.stats.tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
