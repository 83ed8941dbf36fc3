"""POST /v1/chat/completions: from OpenAI's request to a reply, whole or as server-sent events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from app.api.admission import AdmissionDep
from app.api.auth import CallerDep, refuse_several
from app.api.body import JSON, described, parse, receive, schema
from app.api.chat.headers import steering_headers
from app.api.chat.plan import Passthrough, plan_chat
from app.api.chat.recording import recorder
from app.api.chat.response import events, whole
from app.api.chat.session import session_of
from app.api.chat.turned_back import turn_back
from app.api.dependencies import PartsDep
from app.api.disconnect import while_present
from app.api.event_stream import event_stream
from app.api.routes.passthrough import pass_chat_on
from app.api.schemas.chat import ChatRequest
from app.decoding.choices import Choices

router = APIRouter(tags=["Chat"])


@router.post(
    "/v1/chat/completions",
    summary="Write a reply",
    openapi_extra=described((JSON, schema(ChatRequest))),
)
async def chat_completions(
    request: Request,
    parts: PartsDep,
    caller: CallerDep,
    admission: AdmissionDep,
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
    refuse_several(request.headers, "X-CoSteer-Profile", "X-CoSteer-Record")
    received = await receive(request, JSON)
    asked: Any = await parse(received.data)
    plan = await plan_chat(asked, parts, caller, x_costeer_profile)
    if isinstance(plan, Passthrough):
        await admission.to_pass_on()
        session = await session_of(asked, parts, caller, x_costeer_profile)
        asked = await turn_back(asked, parts, caller, x_costeer_profile)
        return await pass_chat_on(parts, asked, plan.reason, session=session)
    record = recorder(parts.store, plan.request, x_costeer_record)
    await admission.to_write()
    reply = await while_present(request, parts.generator.prepare(plan.request))
    choices = Choices(reply.copies(plan.body.n or 1))
    admission.writes(choices, started)
    options = plan.options(started, cached=caller.profile_id is None)
    if not plan.body.stream:
        return await whole(choices, options, record, request)
    return event_stream(lambda closing: events(choices, options, closing, record), steering_headers(choices))
