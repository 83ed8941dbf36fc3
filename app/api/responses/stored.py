"""Responses that are kept on this device, so that a conversation can go on from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.profiles.shelf import RESPONSES, MemoryShelf, Shelf


@dataclass(frozen=True, repr=False)
class Stored:
    """A response as it was sent, and the items of the conversation that it answers. `profile_id` and `uid`
    are of the profile that it belongs to, empty without one. `told` has its text and those of earlier replies
    as the remote has them, by the text."""

    response: dict[str, Any]
    conversation: list[dict[str, Any]]
    profile_id: str = ""
    uid: str = ""
    told: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        response_id: str = self.response["id"]
        return response_id


class StoredResponses:
    """The responses that are kept, bounded in number and bytes. Thread-safe; any method may block, and raise
    StoreError where they are in a file."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        """Without a `shelf` they are kept in this process, and its end loses them."""
        self._shelf = MemoryShelf(RESPONSES) if shelf is None else shelf

    def keep(self, stored: Stored) -> None:
        """Keeps a response, in the place of those used least lately if there are too many. One that is
        larger than all room is not kept."""
        names = ("response", "conversation", "told", "profile_id", "uid")
        data = orjson.dumps({name: getattr(stored, name) for name in names})
        item_ids = [item["id"] for item in stored.response["output"]]
        self._shelf.keep(stored.id.encode(), data, stored.uid, item_ids)

    def get(self, response_id: str) -> Stored | None:
        """The response; None if it is not kept (any more)."""
        data = self._shelf.use(response_id.encode())
        return None if data is None else Stored(**orjson.loads(data))

    def id_of(self, item_id: str) -> str | None:
        """The id of the response that has an item as its output."""
        key = self._shelf.key_of(item_id)
        return None if key is None else key.decode()

    def delete(self, response_id: str) -> None:
        """Drops the response, if it is kept."""
        self._shelf.drop(response_id.encode())


def page_of(
    items: Sequence[dict[str, Any]], *, after: str | None, limit: int, newest_first: bool
) -> tuple[list[dict[str, Any]], bool]:
    """A page of the items behind the one with the id `after`, and whether more follow. None follow an id that
    is none of theirs."""
    ordered = [*reversed(items)] if newest_first else [*items]
    start = 0
    if after is not None:
        start = next((at + 1 for at, one in enumerate(ordered) if one["id"] == after), len(ordered))
    return ordered[start : start + limit], len(ordered) > start + limit
