"""Values that were filled into earlier replies, turned back where a chat request is passed on as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from app.api.auth import Caller, choose_profile, find_model
from app.api.dependencies import Parts
from app.disclosure.filling import turned_back
from app.disclosure.guarded import guarded
from app.errors import Forbidden, InvalidRequest, ModelNotFound, ProfileNotFound
from app.profiles.disclosure import LEVELS, Level
from app.profiles.profile import Profile
from app.prompts.private import PrivateContext


async def turn_back(
    asked: dict[str, Any], parts: Parts, caller: Caller, profile_header: str | None
) -> dict[str, Any]:
    """The request with placeholders for the values in the assistant's messages. As it is, where nothing says
    by whose profile they were filled in.

    Raises StoreError, and what the remote raises.
    """
    texts = [*_texts(asked.get("messages"))]
    if not texts:
        return asked
    try:
        profile = await _profile(asked, parts, caller, profile_header)
    except (ModelNotFound, ProfileNotFound, InvalidRequest, Forbidden):
        return asked
    if profile is not None:
        await asyncio.to_thread(_turn, texts, parts, profile, _least(asked))
    return asked


def _turn(texts: list[tuple[dict[str, Any], str]], parts: Parts, profile: Profile, least: Level) -> None:
    disclosure = profile.disclosure.at_least(parts.disclosure.least).at_least(least)
    turning = guarded(PrivateContext(profile), (), disclosure).turning
    for holder, key in texts:
        told = parts.generator.as_told(profile, holder[key])
        holder[key] = turned_back(holder[key], turning) if told is None else told


async def _profile(
    asked: dict[str, Any], parts: Parts, caller: Caller, profile_header: str | None
) -> Profile | None:
    model, field = asked.get("model"), asked.get("profile")
    alias = None
    if isinstance(model, str):
        alias = (await find_model(parts.remote, model, any_name=parts.any_model))[1]
    named = field if isinstance(field, str) else None
    return await choose_profile(parts.store, caller, profile_header, named, alias)


def _least(asked: dict[str, Any]) -> Level:
    """The level that the request asks for."""
    own = asked.get("costeer")
    level = own.get("disclosure") if isinstance(own, dict) else None
    return next((one for one in LEVELS if one == level), "open")


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
