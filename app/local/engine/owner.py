"""The owner of KV caches: a profile in its present version, which alone can reuse them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self


class Owning(Protocol):
    """The fields of a profile that an Owner is made of."""

    @property
    def id(self) -> str: ...

    @property
    def uid(self) -> str: ...

    @property
    def version(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Owner:
    """A profile in one of its versions. What a model caches of a prompt can be reused by the same owner
    alone, on the remote's and the local side alike: the public conversation is kept from other profiles too.

    `uid` tells a profile from an earlier one of the same id. `version` changes with each change of the
    profile and each correction or erasure in its history. An addition to the history, as a recorded exchange
    is, does not change it: everything cached is still the profile's own, and the next turn reuses it.
    Requests without a profile have no owner, None; a profile's API key cannot make such a request.
    """

    profile_id: str
    uid: str
    version: int

    @classmethod
    def of(cls, profile: Owning) -> Self:
        """The owner of what is computed for this profile."""
        return cls(profile.id, profile.uid, profile.version)
