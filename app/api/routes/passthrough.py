"""What is not steered: chat requests that cannot be, and OpenAI's other paths. They go to the remote."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.api.admission import AdmissionDep
from app.api.auth import CallerDep, find_model
from app.api.body import JSON, receive
from app.api.chat.relay import Relay
from app.api.dependencies import Parts, PartsDep
from app.api.forms import MEDIA_TYPE as FORM
from app.api.public_request import dumped, public_form, public_json, public_query, public_value
from app.api.schemas.chat_fields import KNOWN
from app.api.validation_errors import LENGTH
from app.errors import InvalidRequest
from app.remote.interface import Forward

router = APIRouter()

CHAT = "chat/completions"
# What is passed on, by the first steps of the path below /v1. Nothing else is: a slip in the path of a
# profile must not carry private text to the remote.
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
    "responses",
    "score",
)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# What a path may hold unquoted.
PATH = "/:@!$&'()*+,;=~"


async def pass_chat_on(parts: Parts, asked: dict[str, Any], reason: str) -> Response:
    """The remote's own answer to a chat request, of which is taken out what stays here; `reason` is why it is
    not steered.

    Raises InvalidRequest for a field that nobody knows: vLLM would ignore it without a word.
    """
    for name in asked:
        if name not in KNOWN:
            raise InvalidRequest(f"{name[:LENGTH]} is not supported here; remove it.", param=name[:LENGTH])
    model = asked.get("model")
    if not isinstance(model, str):
        problem = "is missing; add it" if model is None else "must be a string"
        raise InvalidRequest(f"model {problem}.", param="model")
    public = await public_value(asked, partial(_named, parts))
    public["model"] = await _named(parts, public["model"])
    forward = Forward("POST", CHAT, reason, body=dumped(public), content_type=JSON)
    return Relay(parts.remote, forward, reason)


async def pass_on(request: Request, parts: PartsDep, admission: AdmissionDep, _caller: CallerDep) -> Response:
    """The remote's own answer, whatever the path is for."""
    path = request.scope["path"].removeprefix("/v1/")
    if {"", ".", ".."}.intersection(path.split("/")):  # the URL would lead elsewhere
        raise HTTPException(404)
    query = await public_query(request.scope["query_string"], partial(_named, parts))
    body, content_type = await _body(request, parts)
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
    return Relay(parts.remote, forward, "this path is passed on")


def _paths() -> Iterator[str]:
    for family in FAMILIES:
        if family != CHAT:  # that itself is steered
            yield f"/v1/{family}"
        yield f"/v1/{family}/{{first}}"
        yield f"/v1/{family}/{{first}}/{{rest:path}}"


for _path in _paths():
    router.add_api_route(_path, pass_on, methods=METHODS, include_in_schema=False)
# In the schema, beside the chat requests that are answered here.
router.add_api_route(
    f"/v1/{CHAT}",
    pass_on,
    methods=["GET"],
    tags=["Chat"],
    summary="List stored replies",
    description="Replies that the remote has stored; passed on to it as it is.",
    response_class=Response,
)


async def _body(request: Request, parts: Parts) -> tuple[bytes, str | None]:
    """The body without what stays on the device, and its Content-Type. Raises InvalidRequest."""
    try:
        data = await request.body()
    except ClientDisconnect:
        raise InvalidRequest("The body was cut off.") from None
    if not data:
        return b"", None
    named = partial(_named, parts)
    if (await receive(request, JSON, FORM)).media_type == FORM:
        return await public_form(request.headers.get("content-type", ""), data, named)
    return await public_json(data, named), JSON


async def _named(parts: Parts, model: str) -> str:
    """The remote learns no profile's name."""
    return (await find_model(parts.remote, model, any_name=parts.any_model))[0]
