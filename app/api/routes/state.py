"""GET /v1/doctor and GET /v1/activity: how this server is and what it did, for whoever may do everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import anyio
import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api.activity import Activity, together
from app.api.auth import CallerDep
from app.api.body import JSON
from app.api.dependencies import PartsDep
from app.api.disconnect import while_present
from app.api.error_handlers import unforeseen
from app.api.event_stream import Grace, event_stream
from app.api.schemas.state import (
    ActivityOut,
    DoctorQuery,
    Examined,
    FindingEvent,
    MinuteOut,
    Numbers,
)
from app.decoding.stats import Clock
from app.doctor.check import Finding
from app.doctor.shared import SharedExamination
from app.errors import CoSteerError

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
        clock = parts.generator.clock
        return event_stream(lambda closing: _events(examination, clock, closing), {})
    findings = await while_present(request, _all(examination))
    return Response(Examined.of(findings).model_dump_json(), media_type=JSON)


@router.get("/v1/activity", summary="Read the last hour's activity")
async def activity(request: Request, caller: CallerDep) -> ActivityOut:
    """Replies, tokens and errors of each minute of the last hour: numbers, of nobody by name. Needs an admin
    key if keys are required."""
    caller.must_be_admin("read the activity")
    told: Activity = request.app.state.metrics.activity
    minutes = told.minutes()
    total = together(minute for _, minute in minutes)
    return ActivityOut(data=[MinuteOut.of(one, at=at) for at, one in minutes], total=Numbers.of(total))


async def _all(examination: SharedExamination) -> list[Finding]:
    async with aclosing(examination.findings()) as findings:
        return [finding async for finding in findings]


async def _events(
    examination: SharedExamination, clock: Clock, closing: anyio.Event
) -> AsyncGenerator[dict[str, str], None]:
    """Yields each finding, all of them, and [DONE]; after a failure an error event, and no [DONE]."""
    grace, found = Grace(closing, clock), []
    try:
        async with aclosing(examination.findings()) as findings:
            async for finding in findings:
                found.append(finding)
                yield _event(FindingEvent.of(finding))
                grace.check()
    except CoSteerError as error:
        yield {"data": orjson.dumps(error.body()).decode()}
        return
    except Exception as error:
        yield {"data": orjson.dumps(unforeseen(error).body()).decode()}
        return
    yield _event(Examined.of(found))
    yield {"data": "[DONE]"}


def _event(told: BaseModel) -> dict[str, str]:
    return {"data": told.model_dump_json()}
