"""Decides which chat requests cannot be steered token by token, and are passed on to the remote."""

from __future__ import annotations

from collections.abc import Mapping

from app.api.schemas.chat import ChatRequest
from app.api.schemas.chat_fields import KNOWN

STEERING_OFF = "steering: off"
# Values that a steered reply satisfies anyway; so do null, false, 0 and empty values.
NOTHING_ASKED: Mapping[str, tuple[object, ...]] = {
    "best_of": (1,),
    "function_call": ("none", "auto"),
    "include_reasoning": (True,),
    "length_penalty": (1,),
    "modalities": (["text"],),
    "parallel_tool_calls": (True,),
    "response_format": ({"type": "text"},),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "tool_choice": ("none", "auto"),
    "tools": (),
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
    "tool_calls",
)


def unsteerable(body: Mapping[str, object]) -> str | None:
    """Why a chat request cannot be steered, in the client's terms, such as a field's name; None if it can.

    It validates nothing: a request that is passed on is validated by the remote.
    """
    for name in body:
        if name in REMOTE_ONLY and body[name] and body[name] not in NOTHING_ASKED.get(name, ()):
            return name
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


def _unsteerable_message(message: Mapping[str, object]) -> str | None:
    if message.get("role") in ("tool", "function"):
        return f"messages of role {message['role']}"
    for name in SAID_BESIDE:
        if message.get(name):
            return f"messages with {name}"
    content = message.get("content")
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in BESIDE_TEXT:
            return f"messages with {kind}"
    return None
