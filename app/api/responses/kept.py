"""Whose a kept response is: who may see it, and with whose profile a conversation may go on from it."""

from __future__ import annotations

import asyncio

from app.api.auth import Caller
from app.api.dependencies import Parts
from app.api.responses.items import is_ours
from app.api.responses.stored import Stored
from app.errors import InvalidRequest, ProfileNotFound, ResponseNotFound
from app.profiles.profile import Profile


async def find(parts: Parts, caller: Caller, response_id: str, param: str = "response_id") -> Stored | None:
    """The response that the caller may see; None for an id that was not given here.

    Raises ResponseNotFound for one that was, and is not kept any more or belongs to another profile.
    """
    stored = await asyncio.to_thread(parts.responses.get, response_id)
    if stored is not None and await _is_seen(parts, caller, stored):
        return stored
    if stored is not None or is_ours(response_id):
        raise gone(response_id, param)
    return None


def may_go_on(stored: Stored, profile: Profile | None, param: str) -> None:
    """Raises InvalidRequest where a response was written for another profile: what was filled into it could
    not be turned back."""
    if stored.uid and (profile is None or profile.uid != stored.uid):
        raise InvalidRequest(
            f"{param} is of a response for another profile. Send that profile, or the conversation itself.",
            param=param,
        )


def gone(given: str, param: str) -> ResponseNotFound:
    """The error for what is not kept."""
    shown = repr(given[:100])
    return ResponseNotFound(
        f"{shown} is not kept any more: the latest responses are, by a single process until it stops and by "
        "several workers for 30 days. Send the conversation itself.",
        param=param,
    )


async def _is_seen(parts: Parts, caller: Caller, stored: Stored) -> bool:
    """Whether the caller may see a response, whose profile there must still be."""
    if caller.profile_id not in {None, stored.profile_id}:
        return False
    if not stored.uid:
        return True
    try:
        profile = await asyncio.to_thread(parts.store.profiles.get, stored.profile_id)
    except ProfileNotFound:
        return False
    return profile.uid == stored.uid
