"""Decides which chat requests cannot be steered token by token, and are passed on to the remote."""

from __future__ import annotations

from collections.abc import Mapping

from app.api.schemas.chat import ChatRequest
from app.api.schemas.chat_fields import KNOWN
from app.api.schemas.formats import not_held_to

STEERING_OFF = "steering: off"
TOOLS, TOOL_CHOICE, FORMAT = "tools", "tool_choice", "response_format"
# What a remote writes here too, where no requests are passed on to it.
WRITTEN_HERE = (STEERING_OFF, TOOL_CHOICE)
# Values that a steered reply satisfies anyway; so do null, false, 0 and empty values.
NOTHING_ASKED: Mapping[str, tuple[object, ...]] = {
    "best_of": (1,),
    "function_call": ("none", "auto"),
    "include_reasoning": (True,),
    "length_penalty": (1,),
    "modalities": (["text"],),
    "parallel_tool_calls": (True,),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "tool_choice": ("none", "auto"),
    "functions": (),
    "audio": (),
    "verbosity": ("medium",),
}
# Fields of OpenAI and vLLM that only the remote can honour.
REMOTE_ONLY = (KNOWN - set(ChatRequest.model_fields)) | set(NOTHING_ASKED)
# Content parts that are not text. A tuple, not a set: a client may send an unhashable type.
BESIDE_TEXT = ("image_url", "input_audio", "audio_url", "video_url", "file", "refusal")
# Fields of a reply's message besides its text.
SAID_BESIDE = (
    "annotations",
    "audio",
    "function_call",
    "reasoning",
    "reasoning_content",
    "refusal",
)


def unsteerable(body: Mapping[str, object]) -> str | None:
    """Why a chat request cannot be steered, in the client's terms, such as a field's name; None if it can.

    It validates nothing: a request that is passed on is validated by the remote.
    """
    for name in body:
        if name in REMOTE_ONLY and body[name] and body[name] not in NOTHING_ASKED.get(name, ()):
            return name
    if found := not_held_to(body.get(FORMAT), FORMAT, body.get(TOOLS)):
        return found
    if not _functions(body.get("tools")):
        return TOOLS
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict) and (found := _unsteerable_message(message)):
            return found
    return STEERING_OFF if body.get("steering") == "off" else None


def honoured(body: object) -> object:
    """A steerable request without the fields that only the remote knows, which have no effect in it."""
    if not isinstance(body, dict):
        return body
    return {name: body[name] for name in body if name in ChatRequest.model_fields or name not in KNOWN}


def _functions(tools: object) -> bool:
    """Whether all tools, or calls, are of functions, or no such thing at all: that mistake is told here."""
    given = [one for one in tools if isinstance(one, dict)] if isinstance(tools, list) else []
    return all(one.get("type", "function") == "function" for one in given)


def _unsteerable_message(message: Mapping[str, object]) -> str | None:
    if message.get("role") == "function":
        return "messages of role function"
    if not _functions(message.get("tool_calls")):
        return "messages with tool_calls of another type than function"
    for name in SAID_BESIDE:
        if message.get(name):
            return f"messages with {name}"
    content = message.get("content")
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in BESIDE_TEXT:
            return f"messages with {kind}"
    return None
