"""Values that were filled into earlier replies, turned back where a request is passed on as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.api.auth import Caller, choose_profile, find_model
from app.api.dependencies import Parts
from app.api.schemas.public import is_data
from app.disclosure.filling import turned_back
from app.disclosure.guarded import guarded
from app.disclosure.placeholders import Placeholder
from app.errors import Forbidden, InvalidRequest, ModelNotFound, ProfileNotFound
from app.profiles.disclosure import LEVELS, Level
from app.profiles.profile import Profile
from app.prompts.private import PrivateContext

# The fields that hold what the assistant said, within a message of its own and in the parts of it: of chat,
# of responses (their reasoning too) and of Anthropic's messages.
SAID = frozenset({"content", "reasoning", "reasoning_content", "refusal", "summary", "text", "thinking"})
# A guess at the reply, which as a rule is an earlier one that is to be changed.
PREDICTION = "prediction"


@dataclass(frozen=True, repr=False)
class Place:
    """Where a text of the assistant's is: the `key` of `holder`, in a request."""

    request: dict[str, Any]
    holder: Any
    key: str | int


@dataclass(frozen=True, repr=False)
class Filled:
    """Whose values were filled in, and which are turned back where a reply is not remembered."""

    profile: Profile
    turning: Sequence[Placeholder]


async def turn_back(
    asked: dict[str, Any], parts: Parts, caller: Caller, profile_header: str | None
) -> dict[str, Any]:
    """The request, whose texts have been turned back; see TurningBack."""
    await TurningBack(parts, caller, profile_header)(asked)
    return asked


class TurningBack:
    """Puts placeholders in the place of values where one caller's requests have what the assistant said."""

    def __init__(self, parts: Parts, caller: Caller, profile_header: str | None) -> None:
        self._parts, self._caller, self._header = parts, caller, profile_header
        # By what a request says of the profile: a file may have many requests of one.
        self._filled: dict[tuple[str | None, str | None, Level], Filled | None] = {}

    async def __call__(self, value: Any) -> bool:
        """Turns back in a parsed body, in place: a request, or requests at any depth of it. Whether there was
        anything. As it is, where nothing says by whose profile values were filled in.

        Raises StoreError, and what the remote raises.
        """
        changed = False
        for place in await asyncio.to_thread(lambda: [*places(value)]):
            filled = await self._of(place.request)
            if filled is not None:
                changed |= await asyncio.to_thread(self._turn, place, filled)
        return changed

    def _turn(self, place: Place, filled: Filled) -> bool:
        text = place.holder[place.key]
        told = self._parts.generator.as_told(filled.profile, text)
        place.holder[place.key] = turned_back(text, filled.turning) if told is None else told
        return bool(place.holder[place.key] != text)

    async def _of(self, request: dict[str, Any]) -> Filled | None:
        said = *named(request), _least(request)
        if said not in self._filled:
            self._filled[said] = await self._read(*said)
        return self._filled[said]

    async def profile(self, model: str | None, field: str | None) -> Profile | None:
        """Whose profile a request names; None where it names none that the caller may use."""
        try:
            alias = await self._alias(model)
            return await choose_profile(self._parts.store, self._caller, self._header, field, alias)
        except (ProfileNotFound, InvalidRequest, Forbidden):
            return None

    async def _read(self, model: str | None, field: str | None, least: Level) -> Filled | None:
        profile = await self.profile(model, field)
        if profile is None:
            return None
        disclosure = profile.disclosure.at_least(self._parts.disclosure.least).at_least(least)
        found = await asyncio.to_thread(guarded, PrivateContext(profile), (), disclosure)
        return Filled(profile, found.turning)

    async def _alias(self, model: str | None) -> str | None:
        """The profile that a model's name says. The remote may refuse a model, once it has read all."""
        try:
            return (await find_model(self._parts, model))[1] if model is not None else None
        except ModelNotFound:
            return None


def named(request: dict[str, Any]) -> tuple[str | None, str | None]:
    """The model and the profile that a request names."""
    model, profile = request.get("model"), request.get("profile")
    return model if isinstance(model, str) else None, profile if isinstance(profile, str) else None


def places(value: Any) -> Iterator[Place]:
    """Where texts of the assistant's are in a parsed body: in its messages and items, and in predictions.
    What its calls say is not among them: that is the remote's own."""
    whole = value if isinstance(value, dict) else {}
    # With each node the request that it is in, and whether it is the assistant's.
    waiting = [(value, whole, False)] if isinstance(value, dict | list) else []
    while waiting:  # no recursion: the value may be as deep as the parser allows
        node, request, own = waiting.pop()
        if isinstance(node, dict):
            role = node.get("role")
            own = (own and role is None) or role == "assistant" or node.get("type") == "reasoning"
            request = node if role is None and isinstance(node.get("model"), str) else request
        for key, one in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(one, str):
                if own and (isinstance(key, int) or key in SAID):
                    yield Place(request, node, key)
            elif isinstance(one, dict | list) and not is_data(key, one):
                waiting.append((one, request, own or key == PREDICTION))


def _least(request: dict[str, Any]) -> Level:
    """The level that the request asks for."""
    own = request.get("costeer")
    level = own.get("disclosure") if isinstance(own, dict) else None
    return next((one for one in LEVELS if one == level), "open")
