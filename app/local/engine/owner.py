"""Whose the KV caches are: a profile's, as it is now, and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self


class Owning(Protocol):
    """A profile, as far as its caches are concerned."""

    @property
    def id(self) -> str: ...

    @property
    def uid(self) -> str: ...

    @property
    def version(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Owner:
    """A profile in one of its versions. Whatever a model keeps of a prompt is found again by the same owner
    alone, both sides of a request alike: its public conversation is a secret from other profiles too.

    `uid` tells a profile from one that had the same id before. `version` ends with each change of the profile
    and each correction or erasure in its history. What is added to the history, as a recorded exchange is,
    ends none: everything that is kept is still the profile's own, and the next turn of the conversation finds
    it. Requests without a profile have no owner, None; no API key of a profile can make one.
    """

    profile_id: str
    uid: str
    version: int

    @classmethod
    def of(cls, profile: Owning) -> Self:
        """The owner of what is computed for this profile."""
        return cls(profile.id, profile.uid, profile.version)
