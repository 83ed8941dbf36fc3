"""Values that were filled into earlier replies, turned back where a chat request is passed on as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from app.api.auth import Caller, choose_profile, find_model
from app.api.dependencies import Parts
from app.disclosure.filling import turned_back
from app.disclosure.guarded import guarded
from app.prompts.private import PrivateContext


async def turn_back(
    asked: dict[str, Any], parts: Parts, caller: Caller, profile_header: str | None
) -> dict[str, Any]:
    """The request with placeholders for the values in the assistant's messages.

    Raises ModelNotFound, ProfileNotFound, InvalidRequest, Forbidden, StoreError, and what the remote raises.
    """
    texts = [*_texts(asked.get("messages"))]
    if not texts:
        return asked
    model, field = asked.get("model"), asked.get("profile")
    alias = None
    if isinstance(model, str):
        alias = (await find_model(parts.remote, model, any_name=parts.any_model))[1]
    named = field if isinstance(field, str) else None
    profile = await choose_profile(parts.store, caller, profile_header, named, alias)
    if profile is None:
        return asked
    disclosure = profile.disclosure.at_least(parts.disclosure.least)
    found = await asyncio.to_thread(guarded, PrivateContext(profile), (), disclosure)
    for holder, key in texts:
        holder[key] = turned_back(holder[key], found.placeholders)
    return asked


def _texts(messages: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where the texts of the assistant's messages are."""
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict) or message.get("role") != "assistant":
            continue
        parts = [message, *(message["content"] if isinstance(message.get("content"), list) else ())]
        for part in parts:
            for key in ("content", "text") if isinstance(part, dict) else ():
                if isinstance(part.get(key), str):
                    yield part, key
