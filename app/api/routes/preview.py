"""POST /v1/profiles/{profile_id}/preview: what the small model would read for a conversation."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from app.api.auth import CallerDep
from app.api.body import JSON, described, receive_json, schema
from app.api.dependencies import Parts, PartsDep
from app.api.schemas.preview import Preview, PreviewIn
from app.decoding.generator import GenerationRequest
from app.profiles.preferences import preferences
from app.profiles.profile import Profile
from app.prompts.context import personal_context

router = APIRouter(prefix="/v1/profiles", tags=["Profiles"])


@router.post(
    "/{profile_id}/preview",
    summary="See what the small model would read",
    openapi_extra=described((JSON, schema(PreviewIn))),
)
async def preview_profile(profile_id: str, request: Request, parts: PartsDep, caller: CallerDep) -> Preview:
    """All prompts exactly, the items of the history that were chosen, whether each has found room, and the
    level of each phrase, of those that are off as well. Nothing is sent anywhere and nothing is remembered.
    At strength 0 the small model reads nothing."""
    caller.may_use(profile_id)
    body = await receive_json(request, PreviewIn)
    profile = await asyncio.to_thread(parts.store.profiles.get, profile_id)
    return await asyncio.to_thread(_preview, parts, profile, body)


def _preview(parts: Parts, profile: Profile, body: PreviewIn) -> Preview:
    messages = tuple(message.message() for message in body.messages)
    context = personal_context(
        parts.retriever,
        profile,
        messages,
        asked=body.strength,
        default=parts.strength,
        preferences=preferences(body.preferences) if body.preferences is not None else None,
        bounds=(parts.disclosure, body.own_disclosure()),
        remember=False,
    )
    generation = GenerationRequest(
        model="",
        messages=messages,
        profile=profile,
        history=context.history,
        strength=context.strength,
        preferences=context.preferences,
        disclosure=context.disclosure,
    )
    local = parts.generator.local_prompts(generation)
    assert local is not None  # noqa: S101 - only a request without a profile has none
    return Preview.of(profile.id, context, local, parts.generator.max_context_tokens)
