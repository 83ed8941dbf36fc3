"""Decides which requests for responses cannot be steered token by token, and are passed on to the remote."""

from __future__ import annotations

from collections.abc import Mapping

from app.api.schemas.formats import not_held_to
from app.api.schemas.response_items import ITEMS, kind_of, not_text
from app.api.schemas.responses import ResponseRequest
from app.api.schemas.responses_fields import KNOWN
from app.api.schemas.steerable import STEERING_OFF, TOOL_CHOICE

TEXT_FORMAT = "text.format"
# Values that a steered reply satisfies anyway; so do null, false, 0 and empty values.
NOTHING_ASKED: Mapping[str, tuple[object, ...]] = {
    "include_reasoning": (True,),
    "skip_special_tokens": (True,),
    "mm_payload": ("tensors",),
    "truncation": ("disabled",),
    TOOL_CHOICE: ("none", "auto"),
}
# Fields of OpenAI and vLLM that only the remote can honour.
REMOTE_ONLY = (KNOWN - set(ResponseRequest.model_fields)) | set(NOTHING_ASKED)
# Likewise of the values within `text` and `reasoning`, and what asks for nothing there.
WITHIN: Mapping[str, Mapping[str, tuple[object, ...]]] = {
    "text": {"verbosity": ("medium",)},
    "reasoning": {"effort": (), "context": ("auto",), "mode": ("standard",)},
}


def unsteerable(body: Mapping[str, object]) -> str | None:
    """Why a request cannot be steered, in the client's terms, such as a field's name; None if it can.

    It validates nothing: a request that is passed on is validated by the remote.
    """
    for name in body:
        if name in REMOTE_ONLY and body[name] and body[name] not in NOTHING_ASKED.get(name, ()):
            return name
    for name, fields in WITHIN.items():
        options = body.get(name)
        for key, value in options.items() if isinstance(options, dict) else ():
            if value and key in fields and value not in fields[key]:
                return f"{name}.{key}"
    tools, text = body.get("tools"), body.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    if (found := not_held_to(wanted, TEXT_FORMAT, tools)) is not None:
        return found
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("type", "function") != "function":
            return f"tools of type {tool['type']}"
    items = body.get("input")
    for item in items if isinstance(items, list) else ():
        if (found := _unsteerable_item(item)) is not None:
            return found
    return STEERING_OFF if body.get("steering") == "off" else None


def honoured(body: object) -> object:
    """A steerable request without the fields that only the remote knows, which have no effect in it."""
    if not isinstance(body, dict):
        return body
    kept = {name: body[name] for name in body if name in ResponseRequest.model_fields or name not in KNOWN}
    for name, fields in WITHIN.items():
        known = {*fields, "format"} if name == "text" else {*fields}
        # What asks for nothing, such as false or an empty text, is as good as left out.
        if isinstance(kept.get(name), dict):
            kept[name] = {key: value for key, value in kept[name].items() if value or key not in known}
    return kept


def _unsteerable_item(item: object) -> str | None:
    kind = kind_of(item)
    if kind is None or not isinstance(item, dict):
        return None
    if kind not in ITEMS:
        return f"input of type {kind}"
    part = not_text(item.get("output" if kind == "function_call_output" else "content"))
    return f"input with {part}" if part is not None and kind != "reasoning" else None
