"""Passes requests on to the remote unsteered: chat requests that cannot be steered, and other paths."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.api.admission import AdmissionDep
from app.api.auth import Caller, CallerDep, find_model, refuse_several
from app.api.body import JSON, receive
from app.api.chat.relay import Relay
from app.api.chat.turned_back import TurningBack
from app.api.dependencies import Parts, PartsDep
from app.api.forms import MEDIA_TYPE as FORM
from app.api.public_request import Here, dumped, public_form, public_json, public_query, public_value
from app.api.schemas.chat_fields import KNOWN
from app.api.validation_errors import LENGTH
from app.errors import InvalidRequest
from app.remote.interface import Forward, in_session

router = APIRouter()

CHAT = "chat/completions"
RESPONSES = "responses"
# The paths below /v1 that are passed on, by their beginning. No others are: a typo in the path of a profile
# must not send private text to the remote.
FAMILIES = (
    "audio",
    "batches",
    CHAT,
    "classify",
    "completions",
    "embeddings",
    "files",
    "images",
    "messages",
    "moderations",
    "pooling",
    "rerank",
    RESPONSES,
    "score",
)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Characters that a path may hold unquoted.
PATH = "/:@!$&'()*+,;=~"


async def pass_chat_on(
    parts: Parts,
    asked: dict[str, Any],
    reason: str,
    *,
    path: str = CHAT,
    known: frozenset[str] = KNOWN,
    session: str | None = None,
) -> Response:
    """Passes a request to write a reply on, stripped of what stays here; `reason` says why it is not steered.
    `known` are the fields that there are, and by `session` a router knows the conversation.

    Raises InvalidRequest for an unknown field, which vLLM would silently ignore.
    """
    for name in asked:
        if name not in known:
            raise InvalidRequest(f"{name[:LENGTH]} is not supported here; remove it.", param=name[:LENGTH])
    model = asked.get("model")
    if not isinstance(model, str):
        problem = "is missing; add it" if model is None else "must be a string"
        raise InvalidRequest(f"model {problem}.", param="model")
    public = await public_value(asked, _here(parts))
    public["model"] = await _named(parts, public["model"])
    forward = Forward("POST", path, reason, body=dumped(public), content_type=JSON)
    return Relay(in_session(parts.remote, session), forward, reason)


async def pass_on(request: Request, parts: PartsDep, admission: AdmissionDep, caller: CallerDep) -> Response:
    """Passes a request on, and returns the remote's own response."""
    refuse_several(request.headers, "X-CoSteer-Profile")
    path = request.scope["path"].removeprefix("/v1/")
    if {"", ".", ".."}.intersection(path.split("/")):  # the URL would resolve to another path
        raise HTTPException(404)
    query, stripped = await public_query(request.scope["query_string"], _here(parts))
    body, content_type = await _body(request, parts, caller)
    await admission.to_pass_on()
    accept = request.headers.get("accept", "")
    forward = Forward(
        request.method,
        quote(path, safe=PATH),
        f"/v1/{path}"[:LENGTH],
        query,
        body,
        content_type,
        accept if accept.isascii() else None,
    )
    reason = "this path is passed on" + (", without the labels in its query" if stripped else "")
    return Relay(parts.remote, forward, reason)


def _paths() -> Iterator[str]:
    for family in FAMILIES:
        if family not in (CHAT, RESPONSES):  # these have routes of their own
            yield f"/v1/{family}"
        yield f"/v1/{family}/{{first}}"
        yield f"/v1/{family}/{{first}}/{{rest:path}}"


for _path in _paths():
    router.add_api_route(_path, pass_on, methods=METHODS, include_in_schema=False)
# This one is in the OpenAPI schema, beside the chat route.
router.add_api_route(
    f"/v1/{CHAT}",
    pass_on,
    methods=["GET"],
    tags=["Chat"],
    summary="List stored replies",
    description="Replies that the remote has stored; passed on to it as it is.",
    response_class=Response,
)


async def _body(request: Request, parts: Parts, caller: Caller) -> tuple[bytes, str | None]:
    """The body, stripped of what stays on the device, and its Content-Type. Raises InvalidRequest."""
    try:
        data = await request.body()
    except ClientDisconnect:
        raise InvalidRequest("The body was cut off.") from None
    if not data:
        return b"", None
    here = _here(parts, caller, request.headers.get("x-costeer-profile"))
    if (await receive(request, JSON, FORM)).media_type == FORM:
        return await public_form(request.headers.get("content-type", ""), data, here)
    return await public_json(data, here), JSON


def _here(parts: Parts, caller: Caller | None = None, profile_header: str | None = None) -> Here:
    """What a request is made public by; without a caller no values are turned back in it."""
    named = partial(_named, parts)
    if caller is None:
        return Here(named, parts.aliases)
    return Here(named, parts.aliases, TurningBack(parts, caller, profile_header))


async def _named(parts: Parts, model: str) -> str:
    """The remote's model of `name@profile`, so that the remote learns no profile's name."""
    return (await find_model(parts, model))[0]
