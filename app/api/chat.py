"""POST /v1/chat/completions: from OpenAI's request to a reply, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import anyio
import orjson
from fastapi import APIRouter, Header, Response
from sse_starlette import EventSourceResponse

from app.api.access import CallerDep, choose_profile, split_model
from app.api.deps import PartsDep
from app.api.failures import shutting_down, unforeseen
from app.errors import CoSteerError, InvalidRequest
from app.profile import Hit, Profile, turn
from app.prompts import Message
from app.schemas.chat import ChatRequest
from app.store import Store
from app.writer import Order, Reply

Record = Callable[[str], Awaitable[None]]

# At DEBUG it would log every chunk of a reply.
logging.getLogger("sse_starlette").setLevel(logging.INFO)
router = APIRouter(tags=["Chat"])

PING_SECONDS = 15
# After a signal a stream ends with its next piece; one that waits for the remote is cut off after these.
STALLED_SECONDS = 5


@router.post("/v1/chat/completions")
async def chat_completions(
    body: ChatRequest,
    parts: PartsDep,
    caller: CallerDep,
    x_costeer_profile: Annotated[str | None, Header(description="Whose profile steers the reply.")] = None,
    x_costeer_record: Annotated[
        str | None, Header(description="`off`: this exchange is not recorded in the profile's history.")
    ] = None,
) -> Response:
    """A reply to the conversation, steered by the chosen profile."""
    model, alias = split_model(body.model, [card.id for card in await parts.writer.models()])
    profile = await choose_profile(parts.store, caller, x_costeer_profile, body.profile, alias)
    messages = tuple(message.message() for message in body.messages)
    strengths = (body.strength, profile.strength if profile else None, parts.strength)
    strength = next(value for value in strengths if value is not None)
    hits: list[Hit] = []
    if profile is not None and strength > 0:
        hits = await asyncio.to_thread(parts.retriever.choose, profile.id, messages)
    record = _recorder(parts.store, profile, messages, x_costeer_record)
    reply = await parts.writer.prepare(
        Order(
            model=model,
            messages=messages,
            sampling=body.sampling(),
            max_tokens=body.token_limit,
            stop=body.stops(),
            profile=profile,
            history=tuple(hits),
            strength=strength,
        )
    )
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        closing = anyio.Event()
        return EventSourceResponse(
            _events(reply, head, closing, record, include_usage=usage),
            sep="\n",
            ping=PING_SECONDS,
            shutdown_event=closing,
            shutdown_grace_period=STALLED_SECONDS,
        )
    return Response(orjson.dumps(await _whole(reply, head, record)), media_type="application/json")


def _recorder(
    store: Store, profile: Profile | None, messages: Sequence[Message], header: str | None
) -> Record:
    """What keeps the finished reply as a turn of the profile's history, if the profile wants that."""
    if header is not None and header.lower() != "off":
        raise InvalidRequest(
            "The header X-CoSteer-Record takes `off` only. Recording is switched on by the profile's "
            "record_history.",
            param="X-CoSteer-Record",
        )
    question = next((message.content for message in reversed(messages) if message.role == "user"), "")

    async def record(reply: str) -> None:
        if profile is not None and profile.record_history and header is None and reply.strip():
            await asyncio.to_thread(store.history.add, profile.id, [turn(question, reply)])

    return record


async def _whole(reply: Reply, head: dict[str, Any], record: Record) -> dict[str, Any]:
    text, finish_reason = [], None
    async with aclosing(reply.pieces()) as pieces:
        async for piece in pieces:
            text.append(piece.text)
            finish_reason = piece.finish_reason
    await record("".join(text))
    message = {"role": "assistant", "content": "".join(text), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(reply)}


async def _events(
    reply: Reply, head: dict[str, Any], closing: anyio.Event, record: Record, *, include_usage: bool
) -> AsyncGenerator[dict[str, str], None]:
    """OpenAI's chunks, then [DONE]; after a failure an error event in their place."""
    head = {**head, "object": "chat.completion.chunk"}
    if include_usage:
        head["usage"] = None  # on every chunk but the last, as OpenAI has it
    text = []
    try:
        yield _chunk(head, {"role": "assistant", "content": ""}, None)
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                if piece.text:
                    text.append(piece.text)
                    yield _chunk(head, {"content": piece.text}, None)
                if piece.finish_reason is not None:
                    # Before the client hears that it is finished: by then it is kept.
                    await record("".join(text))
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
