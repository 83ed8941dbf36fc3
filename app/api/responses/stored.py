"""Responses that are kept on this device, so that a conversation can go on from them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

# Those used least lately are dropped.
MOST = 2000
MOST_BYTES = 64 * 2**20


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


@dataclass(frozen=True, repr=False)
class _Entry:
    data: bytes
    profile_id: str
    uid: str
    item_ids: tuple[str, ...]

    def stored(self) -> Stored:
        given = orjson.loads(self.data)
        return Stored(given["response"], given["conversation"], self.profile_id, self.uid, given["told"])


class StoredResponses:
    """The responses of this process, bounded in number and bytes; a restart loses them. Thread-safe."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._of_item: dict[str, str] = {}  # id of an item that a response has as output, to the response's
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """The bytes that are kept."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def keep(self, stored: Stored) -> None:
        """Keeps a response, in the place of those used least lately if there are too many. One that is
        larger than all room is not kept."""
        whole = {name: getattr(stored, name) for name in ("response", "conversation", "told")}
        data = orjson.dumps(whole)
        item_ids = tuple(item["id"] for item in stored.response["output"])
        with self._lock:
            if len(data) > self._most_bytes:
                return
            self._entries[stored.id] = _Entry(data, stored.profile_id, stored.uid, item_ids)
            self._of_item |= dict.fromkeys(item_ids, stored.id)
            self._bytes += len(data)
            while len(self._entries) > self._most or self._bytes > self._most_bytes:
                self._drop(next(iter(self._entries)))

    def get(self, response_id: str) -> Stored | None:
        """The response; None if it is not kept (any more)."""
        with self._lock:
            entry = self._entries.get(response_id)
            if entry is None:
                return None
            self._entries.move_to_end(response_id)
        return entry.stored()

    def id_of(self, item_id: str) -> str | None:
        """The id of the response that has an item as its output."""
        with self._lock:
            return self._of_item.get(item_id)

    def delete(self, response_id: str) -> None:
        """Drops the response, if it is kept."""
        with self._lock:
            if response_id in self._entries:
                self._drop(response_id)

    def uids(self) -> frozenset[str]:
        """Those of the profiles that responses are kept for."""
        with self._lock:
            return frozenset(entry.uid for entry in self._entries.values() if entry.uid)

    def keep_only(self, uids: Collection[str]) -> None:
        """Drops what belongs to any other profile; what belongs to none stays."""
        with self._lock:
            gone = [one for one, entry in self._entries.items() if entry.uid and entry.uid not in set(uids)]
            for response_id in gone:
                self._drop(response_id)

    def _drop(self, response_id: str) -> None:
        entry = self._entries.pop(response_id)
        self._bytes -= len(entry.data)
        for item_id in entry.item_ids:
            self._of_item.pop(item_id, None)


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
