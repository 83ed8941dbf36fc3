"""POST /v1/chat/completions: from OpenAI's request to a reply, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Request, Response
from sse_starlette import EventSourceResponse

from app.api.admission import AdmissionDep
from app.api.auth import CallerDep, choose_profile, find_model
from app.api.body import JSON, described, parse, receive, schema, validated
from app.api.chat.recording import recorder
from app.api.chat.response import ResponseOptions, events, steering_headers, whole
from app.api.dependencies import PartsDep
from app.api.disconnect import while_present
from app.api.routes.passthrough import pass_chat_on
from app.api.schemas.chat import ChatRequest
from app.api.schemas.steerable import STEERING_OFF, honoured, unsteerable
from app.decoding.choices import Choices
from app.decoding.generator import GenerationRequest
from app.profiles.profile import Hit
from app.steering.strength import steers

# At DEBUG it would log every chunk of a reply.
logging.getLogger("sse_starlette").setLevel(logging.INFO)
router = APIRouter(tags=["Chat"])

PING_SECONDS = 15
# After a signal a stream that waits for the remote, and so cannot end by itself, is cut off after these. Less
# than the server's own grace.
STALLED_SECONDS = 9


@router.post(
    "/v1/chat/completions",
    summary="Write a reply",
    openapi_extra=described((JSON, schema(ChatRequest))),
)
async def chat_completions(
    request: Request,
    parts: PartsDep,
    caller: CallerDep,
    turn: AdmissionDep,
    *,
    x_costeer_profile: Annotated[str | None, Header(description="Whose profile steers the reply.")] = None,
    x_costeer_record: Annotated[
        str | None, Header(description="`off`: this exchange is not recorded in the profile's history.")
    ] = None,
) -> Response:
    """A reply to the conversation, steered by the chosen profile.

    What cannot be steered token by token (tools, images, a response format ...) goes to the remote as it is.
    """
    started = parts.generator.clock()
    received = await receive(request, JSON)
    asked: Any = await parse(received.data)
    reason = unsteerable(asked) if isinstance(asked, dict) else None
    # An embedded remote takes no request as it is, but writes its own text as well.
    if reason is not None and (reason != STEERING_OFF or parts.remote.passes_on):
        await turn.to_pass_on()
        return await pass_chat_on(parts, asked, reason)
    body = validated(ChatRequest, honoured(asked))
    model, alias = await find_model(parts.remote, body.model, any_name=parts.any_model)
    if model != (await parts.remote.card()).id:
        await turn.to_pass_on()
        return await pass_chat_on(parts, asked, "another model")
    profile = await choose_profile(parts.store, caller, x_costeer_profile, body.profile, alias)
    messages = tuple(message.message() for message in body.messages)
    off = 0.0 if body.steering == "off" else None
    strengths = (off, body.strength, profile.strength if profile else None, parts.strength)
    strength = next(value for value in strengths if value is not None)
    hits: list[Hit] = []
    if profile is not None and steers(strength):
        hits = await asyncio.to_thread(parts.retriever.choose, profile.id, messages)
    continued = bool(body.continue_final_message)
    record = recorder(parts.store, profile, messages, x_costeer_record, continued=continued)
    generation = GenerationRequest(
        model=model,
        messages=messages,
        sampling=body.sampling(),
        max_tokens=body.token_limit,
        stop=body.stops(),
        profile=profile,
        history=tuple(hits),
        strength=strength,
        continue_final=continued,
    )
    await turn.to_write()
    reply = await while_present(request, parts.generator.prepare(generation))
    choices = Choices(reply.copies(body.n or 1))
    turn.writes(choices, started)
    options = body.stream_options
    response_options = ResponseOptions(
        head={
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": f"{model}@{alias}" if alias else model,
        },
        started=started,
        include_usage=bool(options and options.include_usage),
        continuous_usage=bool(options and options.include_usage and options.continuous_usage_stats),
        top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        detail=body.costeer is not None and body.costeer.detail,
        cached=caller.profile_id is None,
    )
    if not body.stream:
        return await whole(choices, response_options, record, request)
    closing = anyio.Event()
    return EventSourceResponse(
        events(choices, response_options, closing, record),
        headers=steering_headers(choices),
        sep="\n",
        ping=PING_SECONDS,
        shutdown_event=closing,
        shutdown_grace_period=STALLED_SECONDS,
    )
