"""GET /v1/doctor and GET /v1/activity: how this server is and what it did, for whoever may do everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.activity import together
from app.api.auth import CallerDep
from app.api.body import JSON
from app.api.dependencies import PartsDep
from app.api.disconnect import while_present
from app.api.event_stream import stream_of_steps
from app.api.schemas.state import (
    ActivityOut,
    DoctorQuery,
    Examined,
    FindingEvent,
    MinuteOut,
    Numbers,
)
from app.api.workers import Workers
from app.doctor.check import Finding
from app.doctor.shared import SharedExamination

router = APIRouter(tags=["System"])


@router.get(
    "/v1/doctor",
    summary="Examine the server",
    responses={200: {"model": Examined, "description": "Or events, with `stream`."}},
)
async def doctor(
    query: Annotated[DoctorQuery, Query()], request: Request, parts: PartsDep, caller: CallerDep
) -> Response:
    """What `costeer doctor` finds, as far as it can be seen without disturbing replies. Changes and downloads
    nothing, and sends the remote fixed texts only. One examination runs at a time, for all who ask; its
    findings are given again for 5 seconds. Needs an admin key if keys are required."""
    caller.must_be_admin("examine the server")
    examination: SharedExamination = request.app.state.examination
    if query.stream:
        return stream_of_steps(_steps(examination), parts.generator.clock)
    findings = await while_present(request, _all(examination))
    return Response(Examined.of(findings).model_dump_json(), media_type=JSON)


@router.get("/v1/activity", summary="Read the last hour's activity")
async def activity(request: Request, caller: CallerDep) -> ActivityOut:
    """Replies, tokens and errors of each minute of the last hour: numbers, of nobody by name. Needs an admin
    key if keys are required."""
    caller.must_be_admin("read the activity")
    workers: Workers = request.app.state.workers
    minutes = await workers.minutes()
    total = together(minute for _, minute in minutes)
    return ActivityOut(data=[MinuteOut.of(one, at=at) for at, one in minutes], total=Numbers.of(total))


async def _all(examination: SharedExamination) -> list[Finding]:
    async with aclosing(examination.findings()) as findings:
        return [finding async for finding in findings]


async def _steps(examination: SharedExamination) -> AsyncGenerator[FindingEvent | Examined, None]:
    """Each finding, then all of them."""
    found = []
    async with aclosing(examination.findings()) as findings:
        async for finding in findings:
            found.append(finding)
            yield FindingEvent.of(finding)
    yield Examined.of(found)
