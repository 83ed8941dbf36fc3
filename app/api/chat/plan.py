"""What becomes of a chat request: it is passed on to the remote, or a reply is written here."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Any

from app.api.auth import Caller, choose_profile, find_model
from app.api.body import validated
from app.api.chat.response import ResponseOptions
from app.api.dependencies import Parts
from app.api.schemas.chat import ChatRequest
from app.api.schemas.steerable import STEERING_OFF, honoured, unsteerable
from app.decoding.generator import GenerationRequest
from app.prompts.context import personal_context


@dataclass(frozen=True)
class Passthrough:
    """`reason` says why the request cannot be steered."""

    reason: str


@dataclass(frozen=True, repr=False)
class Generation:
    """A reply to write: the validated request, what to generate, and the model's name in the answer."""

    body: ChatRequest
    request: GenerationRequest
    model: str

    def options(self, started: float, *, cached: bool) -> ResponseOptions:
        """What the client wants told; see ResponseOptions."""
        body, stream = self.body, self.body.stream_options
        return ResponseOptions(
            head={"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": self.model},
            started=started,
            include_usage=bool(stream and stream.include_usage),
            continuous_usage=bool(stream and stream.include_usage and stream.continuous_usage_stats),
            top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
            detail=body.costeer is not None and body.costeer.detail,
            cached=cached,
        )


async def plan_chat(
    asked: Any, parts: Parts, caller: Caller, profile_header: str | None
) -> Passthrough | Generation:
    """`asked` is the parsed body.

    Raises InvalidRequest, ModelNotFound, ProfileNotFound, Forbidden, StoreError, and what the remote raises.
    """
    reason = unsteerable(asked) if isinstance(asked, dict) else None
    # An embedded remote takes no request as it is, but writes its own text as well.
    if reason is not None and (reason != STEERING_OFF or parts.remote.passes_on):
        return Passthrough(reason)
    body = validated(ChatRequest, honoured(asked))
    model, alias = await find_model(parts.remote, body.model, any_name=parts.any_model)
    if model != (await parts.remote.card()).id:
        return Passthrough("another model")
    profile = await choose_profile(parts.store, caller, profile_header, body.profile, alias)
    messages = tuple(message.message() for message in body.messages)
    context = await asyncio.to_thread(
        personal_context,
        parts.retriever,
        profile,
        messages,
        asked=0.0 if body.steering == "off" else body.strength,
        default=parts.strength,
        preferences=body.own_preferences(),
        bounds=(parts.disclosure, body.own_disclosure()),
    )
    request = GenerationRequest(
        model=model,
        messages=messages,
        sampling=body.sampling(),
        max_tokens=body.token_limit,
        stop=body.stops(),
        profile=profile,
        history=context.history,
        strength=context.strength,
        continue_final=bool(body.continue_final_message),
        preferences=context.preferences,
        disclosure=context.disclosure,
    )
    return Generation(body, request, f"{model}@{alias}" if alias else model)
