"""/v1/responses: OpenAI's Responses API, and the responses that are kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from app.api.admission import AdmissionDep
from app.api.auth import CallerDep, refuse_several
from app.api.body import JSON, described, parse, receive, schema
from app.api.chat.headers import steering_headers
from app.api.chat.recording import recorder
from app.api.chat.turned_back import turn_back
from app.api.dependencies import Parts, PartsDep
from app.api.disconnect import while_present
from app.api.event_stream import event_stream
from app.api.responses import kept
from app.api.responses.plan import Passthrough, plan_response
from app.api.responses.response import again, events, whole
from app.api.responses.stored import page_of
from app.api.routes.passthrough import RESPONSES, pass_chat_on, pass_on
from app.api.schemas.responses import ResponseRequest
from app.api.schemas.responses_fields import KNOWN
from app.api.schemas.stored_responses import ItemsQuery, ResponseDeleted, RetrieveQuery
from app.api.store_writes import write
from app.decoding.choices import Choices
from app.errors import InvalidRequest

# What a kept response may come as, for the OpenAPI document.
EITHER: dict[int | str, dict[str, Any]] = {200: {"content": {JSON: {}, "text/event-stream": {}}}}
router = APIRouter(prefix=f"/v1/{RESPONSES}", tags=["Responses"])


@router.post("", summary="Write a response", openapi_extra=described((JSON, schema(ResponseRequest))))
async def create_response(
    request: Request,
    parts: PartsDep,
    caller: CallerDep,
    admission: AdmissionDep,
    *,
    x_costeer_profile: Annotated[str | None, Header(description="Whose profile steers the response.")] = None,
    x_costeer_record: Annotated[
        str | None, Header(description="`off`: this exchange is not recorded in the profile's history.")
    ] = None,
) -> Response:
    """A response to the conversation, steered by the chosen profile, and kept on this device unless `store`
    is false.

    What cannot be steered token by token (tools that the provider runs, images, a text format ...) goes to
    the remote as it is.
    """
    started = parts.generator.clock()
    refuse_several(request.headers, "X-CoSteer-Profile", "X-CoSteer-Record")
    received = await receive(request, JSON)
    plan = await plan_response(await parse(received.data), parts, caller, x_costeer_profile)
    if isinstance(plan, Passthrough):
        await admission.to_pass_on()
        asked = await turn_back(plan.asked, parts, caller, x_costeer_profile)
        return await pass_chat_on(parts, asked, plan.reason, path=RESPONSES, known=KNOWN)
    record = recorder(parts.store, plan.request, x_costeer_record)
    await admission.to_write()
    reply = await while_present(request, parts.generator.prepare(plan.request))
    choices = Choices([reply])
    admission.writes(choices, started)
    options = plan.options(started, cached=caller.profile_id is None)
    keep = plan.keeper(parts)
    if not plan.body.stream:
        return await whole(choices, options, record, keep, request)
    return event_stream(
        lambda closing: events(choices, options, closing, record, keep), steering_headers(choices)
    )


@router.get("/{response_id}", summary="Read a response that is kept", responses=EITHER)
async def read_response(
    response_id: str,
    *,
    query: Annotated[RetrieveQuery, Query()],
    request: Request,
    parts: PartsDep,
    caller: CallerDep,
    admission: AdmissionDep,
) -> Any:
    """The response as it was sent, without its detail; with `stream` as events. One that is not of this
    proxy is the remote's."""
    stored = await kept.find(parts, caller, response_id)
    if stored is None:
        return await _of_the_remote(response_id, request, parts, admission, caller)
    if query.stream:
        return event_stream(lambda _: again(stored.response, query.starting_after), {})
    return stored.response


@router.delete("/{response_id}", summary="Erase a response that is kept")
async def delete_response(
    response_id: str, request: Request, parts: PartsDep, caller: CallerDep, admission: AdmissionDep
) -> Any:
    """Erases the response; what went on from it stays. One that is not of this proxy is the remote's."""
    if await kept.find(parts, caller, response_id) is None:
        return await _of_the_remote(response_id, request, parts, admission, caller)
    await write(parts.responses.delete, response_id)
    return ResponseDeleted(id=response_id)


@router.get("/{response_id}/input_items", summary="List what a response answers")
async def list_input_items(
    response_id: str,
    *,
    query: Annotated[ItemsQuery, Query()],
    request: Request,
    parts: PartsDep,
    caller: CallerDep,
    admission: AdmissionDep,
) -> Any:
    """A page of the conversation that the response answers, that of earlier responses included. For the next
    page send `last_id` as `after`."""
    stored = await kept.find(parts, caller, response_id)
    if stored is None:
        return await _of_the_remote(response_id, request, parts, admission, caller)
    page, more = page_of(
        stored.conversation, after=query.after, limit=query.limit, newest_first=query.order == "desc"
    )
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return {"object": "list", "data": page, "first_id": first, "last_id": last, "has_more": more}


@router.post("/{response_id}/cancel", summary="Cancel a response")
async def cancel_response(
    response_id: str, request: Request, parts: PartsDep, caller: CallerDep, admission: AdmissionDep
) -> Any:
    """Refused for a response of this proxy: it was finished when its id was told. Close the connection to
    cancel one that is being written."""
    if await kept.find(parts, caller, response_id) is None:
        return await _of_the_remote(response_id, request, parts, admission, caller)
    raise InvalidRequest(
        "Only responses with background: true can be cancelled, and there are none here. Close the "
        "connection to cancel one that is being written.",
        param="response_id",
    )


async def _of_the_remote(
    response_id: str, request: Request, parts: Parts, admission: AdmissionDep, caller: CallerDep
) -> Response:
    """The remote's answer about a response that may be its own. Raises ResponseNotFound where it is asked
    for none."""
    if not parts.remote.passes_on:
        raise kept.gone(response_id, "response_id")
    return await pass_on(request, parts, admission, caller)
