"""What becomes of a chat request: it is passed on to the remote, or a reply is written here."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from app.api.auth import Caller, choose_profile, find_model
from app.api.body import validated
from app.api.chat.response import ResponseOptions
from app.api.dependencies import Parts
from app.api.reading import context_of
from app.api.response_format import left_by_its_format
from app.api.schemas.chat import ChatRequest
from app.api.schemas.steerable import FORMAT, TOOLS, WRITTEN_HERE, honoured, unsteerable
from app.api.tool_use import left_to_the_remote, seeded
from app.decoding.generator import GenerationRequest
from app.errors import InvalidRequest
from app.prompts.context import PersonalContext
from app.remote.sent import Sent, note


@dataclass(frozen=True)
class Passthrough:
    """`reason` says why the request cannot be steered."""

    reason: str


@dataclass(frozen=True, repr=False)
class Generation:
    """A reply to write: the validated request, what to generate, and the model's name in the answer. `sent`
    notes what is sent for it, if the client asks for that."""

    body: ChatRequest
    request: GenerationRequest
    model: str
    sent: Sent | None = None

    def options(self, started: float, *, cached: bool) -> ResponseOptions:
        """What the client wants told; see ResponseOptions."""
        body, stream = self.body, self.body.stream_options
        return ResponseOptions(
            head={"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": self.model},
            started=started,
            include_usage=bool(stream and stream.include_usage),
            continuous_usage=bool(stream and stream.include_usage and stream.continuous_usage_stats),
            top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
            detail=body.own().detail,
            candidates=body.own().candidates,
            cached=cached,
            sent=self.sent,
        )


async def plan_chat(
    asked: Any, parts: Parts, caller: Caller, profile_header: str | None
) -> Passthrough | Generation:
    """`asked` is the parsed body.

    Raises InvalidRequest, ModelNotFound, ProfileNotFound, Forbidden, StoreError, and what the remote raises.
    """
    reason = unsteerable(asked) if isinstance(asked, dict) else None
    # An embedded remote takes no request as it is, but writes its own text and calls as well.
    if reason is not None and (reason not in WRITTEN_HERE or parts.remote.passes_on):
        return Passthrough(reason)
    try:
        body = validated(ChatRequest, honoured(asked))
    except InvalidRequest as error:
        if parts.remote.passes_on and _is_the_remotes(asked, error):
            return Passthrough(TOOLS)
        raise
    sent = note(wanted=body.own().sent)
    model, alias = await find_model(parts, body.model)
    if model != (await parts.remote.card()).id:
        return Passthrough("another model")
    profile = await choose_profile(parts.store, caller, profile_header, body.profile, alias)
    messages = tuple(message.message() for message in body.messages)
    context = await context_of(parts, body, profile, messages)
    if (reason := await _left_to_the_remote(body, parts, context)) is not None:
        return Passthrough(reason)
    tools, sampling = body.tool_use(), body.sampling()
    request = GenerationRequest(
        model=model,
        messages=messages,
        sampling=seeded(sampling) if tools is not None else sampling,
        max_tokens=body.token_limit,
        stop=body.stops(),
        profile=profile,
        history=context.history,
        strength=context.strength,
        continue_final=bool(body.continue_final_message),
        preferences=context.preferences,
        disclosure=context.disclosure,
        tools=tools,
        response_format=body.held_to(),
    )
    return Generation(body, request, f"{model}@{alias}" if alias else model, sent)


async def _left_to_the_remote(body: ChatRequest, parts: Parts, context: PersonalContext) -> str | None:
    """Why a reply with tools, or in a format, is the remote's to write; None if it is written here."""
    if (held_to := body.held_to()) is not None:
        return await left_by_its_format(parts, context, held_to, FORMAT)
    if (tools := body.tool_use()) is not None:
        return "tools with n" if (body.n or 1) > 1 else await left_to_the_remote(parts, context, tools)
    return None


def _is_the_remotes(asked: Any, error: InvalidRequest) -> bool:
    """Whether a mistake of a request with tools is in what frameworks write and remotes read in their own
    ways. Those that a person writes are told here."""
    field = (error.param or "").partition("[")[0].partition(".")[0]
    return isinstance(asked, dict) and bool(asked.get(TOOLS)) and field in ("messages", TOOLS)
