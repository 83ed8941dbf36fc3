"""Reads and validates request bodies; large ones are parsed in a thread, not on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from app.api.validation_errors import refusal
from app.errors import InvalidRequest
from app.profiles.file_errors import MANY
from app.profiles.plain_text import NotUtf8
from app.profiles.plain_text import decoded as text_of
from app.profiles.strict_json import JsonMistake, loads

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
UTF8 = {"utf-8", "utf8"}
# Bytes up to which parsing is faster than handing it to a thread.
SMALL = 2**16
# JSON values in a body that is not an upload: each could be an error, and errors become messages.
MAX_VALUES = 1_000_000

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, repr=False)
class Body:
    """A request body and its media type, in lower case without parameters."""

    media_type: str
    data: bytes


async def receive(request: Request, *taken: str) -> Body:
    """Reads the body, which must have one of the `taken` media types and no charset but UTF-8; else 415.

    A compressed body gets 415 too: it could be a thousand times larger than the size limit allows. Raises
    InvalidRequest, also for a body that is empty or cut off.
    """
    media_type, parameters = media_type_of(request, *taken)
    charsets = [
        value.strip("\"'") for key, _, value in (p.partition("=") for p in parameters) if key == "charset"
    ]
    if not UTF8.issuperset(charsets):
        raise _unsupported("The body must be UTF-8; send it so, with no charset or with charset=utf-8.")
    try:
        data = await request.body()
    except ClientDisconnect:
        raise InvalidRequest("The body was cut off.") from None
    if not data or data.isspace():
        raise InvalidRequest(f"The body is empty; send {', '.join(taken)}.")
    return Body(media_type, data)


def media_type_of(request: Request, *taken: str) -> tuple[str, list[str]]:
    """The media type of the body, one of those `taken`, and its parameters. Raises InvalidRequest for
    another, and for a body that is compressed."""
    codings = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    if {coding.strip() for coding in codings} - {"", "identity"}:
        raise _unsupported(
            "The body has a Content-Encoding; send it as it is, without compression.", "Content-Encoding"
        )
    given = request.headers.get("content-type", "")
    media_type, *parameters = (part.strip().lower() for part in given.split(";"))
    if media_type not in taken:
        found = "has no Content-Type" if not given else "is of another type"
        if "," in media_type:  # HTTP joins repeated headers with commas
            found = "has more than one Content-Type"
        raise _unsupported(f"The body {found}; send {', '.join(taken)}.")
    return media_type, parameters


async def receive_json(request: Request, model: type[M], *, also: tuple[str, ...] = ()) -> M:
    """Reads the body as JSON and validates it as `model`. Raises InvalidRequest, which names each key."""
    body = await receive(request, JSON, *also)
    return await asyncio.to_thread(lambda: validated(model, _parsed_whole(body.data)))


async def parse(data: bytes) -> object:
    """Parses JSON; in a thread if it is large."""
    if len(data) <= SMALL:
        return _parsed_whole(data)
    return await asyncio.to_thread(_parsed_whole, data)


def decoded(data: bytes) -> str:
    """Decodes UTF-8. Raises InvalidRequest with the line of invalid bytes."""
    try:
        return text_of(data)
    except NotUtf8 as error:
        line, found = error.line, error.found
    raise InvalidRequest(f"Line {line} of the body is {found}; send UTF-8.", param=f"line {line}")


def parsed(text: str, place: str = "", max_values: int | None = None) -> object:
    """Parses JSON; `place` says where in the body the text is, if it is a part. Raises InvalidRequest."""
    try:
        return loads(text, max_values)
    except JsonMistake as mistake:
        line = f"line {mistake.line}, " if mistake.line and not place else ""
        where = f" ({line}column {mistake.column})" if mistake.column else ""
        reason = mistake.reason
    subject = place.capitalize() or "The body"
    raise InvalidRequest(f"{subject} is not valid JSON: {reason}{where}.", param=place or None)


def validated(
    model: type[M], value: object, *, steps: tuple[int, ...] = (), within: object = None, place: str = ""
) -> M:
    """Validates `value` as `model`. Raises InvalidRequest.

    For its messages: the value is at the path `steps` in the list `within`, or at a `place` in the body.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        count = error.error_count()
        problems = [
            {**problem, "loc": ("body", *steps, *problem["loc"])}
            for problem in (error.errors(include_url=False, include_input=False) if count <= MANY else ())
        ]
    if not problems:
        where = f" {place}" if place else "".join(f" [{step}]" for step in steps) or " The body"
        raise InvalidRequest(f"{where[1:].capitalize()} has {count:,} mistakes; is it meant for this path?")
    # Raised outside the handler: a traceback must not chain to pydantic's error, which holds the values.
    raise refusal(problems, within if steps else value, place=place)


def described(*contents: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The OpenAPI request body of a route: its media types, each with a JSON schema."""
    return {"requestBody": {"required": True, "content": {name: {"schema": dict(s)} for name, s in contents}}}


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema with all $refs resolved."""
    whole = model.model_json_schema()
    parts = whole.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(parts[node["$ref"].rpartition("/")[2]])
        return {key: resolved(value) for key, value in node.items()}

    result: dict[str, Any] = resolved(whole)
    return result


def _parsed_whole(data: bytes) -> object:
    return parsed(decoded(data), max_values=MAX_VALUES)


def _unsupported(message: str, header: str = "Content-Type") -> InvalidRequest:
    return InvalidRequest(message, param=header, code="unsupported_media_type", status=415)
