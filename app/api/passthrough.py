"""What is not steered: chat requests that cannot be, and OpenAI's other paths. They go to the remote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.api.access import CallerDep
from app.api.bodies import JSON, parse, receive
from app.api.deps import Parts, PartsDep
from app.api.refusals import LENGTH
from app.api.relay import Relay
from app.api.served import find_model
from app.api.turns import TurnDep
from app.draft import RemoteModel
from app.errors import InvalidRequest
from app.forward import Forward
from app.schemas.known import KNOWN, LABELS, OWN

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
FORM = "multipart/form-data"
KEPT_HERE = OWN | LABELS
# What a URL may hold unquoted; the rest is quoted, and what is quoted stays so.
PATH, QUERY = "/:@!$&'()*+,;=~", "/?:@!$&'()*+,;=~%"
# Up to the next header of the kind, so that one line full of them is not read once for each.
FIELD = re.compile(
    rb'content-disposition:\s*form-data;(?:(?!content-disposition:)[^\r\n])*?\bname="?([\w-]+)', re.IGNORECASE
)


async def pass_chat_on(parts: Parts, asked: Mapping[str, Any], reason: str) -> Response:
    """The remote's own answer to a chat request; `reason` is why it is not steered.

    Raises InvalidRequest for a field that nobody knows: vLLM would ignore it without a word.
    """
    for name in asked:
        if name not in KNOWN:
            raise InvalidRequest(f"{name[:LENGTH]} is not supported here; remove it.", param=name[:LENGTH])
    model = asked.get("model")
    if not isinstance(model, str):
        problem = "is missing; add it" if model is None else "must be a string"
        raise InvalidRequest(f"model {problem}.", param="model")
    public = {**_public(asked), "model": (await find_model(parts.remote, model))[0]}
    forward = Forward("POST", CHAT, reason, body=_dumped(public), content_type=JSON)
    return Relay(parts.remote, forward, reason)


async def pass_on(request: Request, parts: PartsDep, turn: TurnDep, _caller: CallerDep) -> Response:
    """The remote's own answer, whatever the path is for."""
    path = request.scope["path"].removeprefix("/v1/")
    if {"", ".", ".."}.intersection(path.split("/")):  # the URL would lead elsewhere
        raise HTTPException(404)
    body, content_type = await _body(request, parts.remote)
    await turn.to_pass_on()
    accept = request.headers.get("accept", "")
    forward = Forward(
        request.method,
        quote(path, safe=PATH),
        f"/v1/{path}"[:LENGTH],
        quote(request.scope["query_string"], safe=QUERY),
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


async def _body(request: Request, remote: RemoteModel) -> tuple[bytes, str | None]:
    """The body without what stays on the device, and its Content-Type. Raises InvalidRequest."""
    try:
        data = await request.body()
    except ClientDisconnect:
        raise InvalidRequest("The body was cut off.") from None
    if not data:
        return b"", None
    given = request.headers.get("content-type", "")
    if (await receive(request, JSON, FORM)).media_type == FORM:
        _check_form(data)
        return data, given if given.isascii() else FORM
    asked = await parse(data)
    if not isinstance(asked, dict):
        return data, JSON
    public = _public(asked)
    model = asked.get("model")
    if isinstance(model, str) and "@" in model:  # the remote learns no profile's name
        public["model"] = (await find_model(remote, model))[0]
    return data if public == asked else _dumped(public), JSON


def _public(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name not in KEPT_HERE}


def _check_form(data: bytes) -> None:
    """A form cannot be rewritten as lightly as JSON, so what stays on the device is refused in it."""
    for name in FIELD.findall(data):
        if name.decode() in KEPT_HERE:
            raise InvalidRequest(
                f"{name.decode()} is not sent on in a form; leave it out.", param=name.decode()
            )


def _dumped(body: Mapping[str, Any]) -> bytes:
    # The standard library's, for whole numbers of any size and for the escapes of half characters.
    return json.dumps(body, separators=(",", ":")).encode()
