"""Which chat requests cannot be steered token by token, and go to the remote as they are."""

from __future__ import annotations

from collections.abc import Mapping

from app.api.schemas.chat import ChatRequest
from app.api.schemas.chat_fields import KNOWN

STEERING_OFF = "steering: off"
# Values that ask for what a steered reply does anyway; so do null, false, 0 and what is empty.
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
# What only the remote can honour: fields of OpenAI and vLLM that a steered request does not have.
REMOTE_ONLY = (KNOWN - set(ChatRequest.model_fields)) | set(NOTHING_ASKED)
# Parts of a message's content that are no text. No set: a client may send anything for a type.
BESIDE_TEXT = ("image_url", "input_audio", "audio_url", "video_url", "file", "refusal")
# What a reply's message may hold beside its text.
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
    """What of a chat request keeps it from being steered, as a client would write it; None: it can be.

    Looks at what is asked for only, and checks nothing: the remote does that.
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
    """The request without fields that only the remote knows; of a steerable one they ask for nothing."""
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
