"""POST /v1/profiles/{profile_id}/proposals: what a profile could say, from its history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response

from app.api.admission import AdmissionDep
from app.api.auth import CallerDep
from app.api.body import JSON, described, receive_json, schema
from app.api.dependencies import Parts, PartsDep
from app.api.disconnect import while_present
from app.api.event_stream import stream_of_steps
from app.api.schemas.proposals import Progress, Proposals, ProposalsIn
from app.profiles.profile import Profile
from app.proposals.drafter import Drafted, Drafter, Step

router = APIRouter(prefix="/v1/profiles", tags=["Profiles"])


@router.post(
    "/{profile_id}/proposals",
    summary="Propose what a profile could say",
    openapi_extra=described((JSON, schema(ProposalsIn))),
    responses={200: {"model": Proposals, "description": "Or events, with `stream`."}},
)
async def propose(
    profile_id: str, request: Request, parts: PartsDep, caller: CallerDep, admission: AdmissionDep
) -> Response:
    """Facts and preferences that the history suggests, each with the passage that it comes from. Nothing is
    stored: a PATCH of the profile takes those that the person accepts. It is work for the small model, and
    ends when the client leaves."""
    caller.may_use(profile_id)
    body = await receive_json(request, ProposalsIn)
    profile = await asyncio.to_thread(parts.store.profiles.get, profile_id)
    await admission.to_write()
    if body.stream:
        return stream_of_steps(_told(parts, profile, body.seconds), parts.generator.clock)
    drafted = await while_present(request, _whole(parts, profile, body.seconds))
    return Response(Proposals.of(drafted).model_dump_json(), media_type=JSON)


def _steps(parts: Parts, profile: Profile, seconds: float) -> AsyncGenerator[Step | Drafted, None]:
    generator = parts.generator
    bounds = (parts.disclosure,)
    drafter = Drafter(parts.store.history, generator.local, generator.tokenizer, bounds=bounds)
    return drafter.draft(profile, seconds)


async def _whole(parts: Parts, profile: Profile, seconds: float) -> Drafted:
    async with aclosing(_steps(parts, profile, seconds)) as steps:
        async for one in steps:
            if isinstance(one, Drafted):
                return one
    raise AssertionError("a draft ends with its proposals")


async def _told(parts: Parts, profile: Profile, seconds: float) -> AsyncGenerator[Proposals | Progress, None]:
    async with aclosing(_steps(parts, profile, seconds)) as steps:
        async for one in steps:
            yield Proposals.of(one) if isinstance(one, Drafted) else Progress.of(one)
