"""Retrieval: chooses, once per conversation, the passages of a history that the local model reads."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from app.errors import StoreError
from app.profiles.profile import Hit, Kind, StoredItem
from app.profiles.shelf import CHOICES, MemoryShelf, Shelf
from app.profiles.terms import passages, terms
from app.prompts.message import Message

log = logging.getLogger(__name__)

# Only the last user turns are searched for; each counts half as much as the one after it.
TURNS = 3
DECAY = 0.5

# (item id, number of the passage, score), as the store's search gives them.
Found = tuple[int, int, float]


class History(Protocol):
    """The part of the store that is searched; see profiles/store/history.py."""

    def search(
        self, profile_id: str, queries: Sequence[tuple[float, Sequence[str]]], limit: int
    ) -> list[Hit]: ...

    def recent(self, profile_id: str, limit: int, kind: Kind = "document") -> list[StoredItem]: ...

    def hits(self, profile_id: str, found: Sequence[Found]) -> list[Hit]: ...


class Retriever:
    """Chooses passages of a history. Thread-safe. Its errors are the store's."""

    def __init__(self, history: History, top_k: int, shelf: Shelf | None = None) -> None:
        """At most `top_k` items that are read are chosen; with 0, none. Without a `shelf` choices are
        remembered in this process."""
        self._history = history
        self._top_k = top_k
        # What was chosen, as JSON, by the key of a conversation's prefix; the owner is the profile's id.
        self._remembered = MemoryShelf(CHOICES) if shelf is None else shelf

    def choose(self, profile_id: str, messages: Sequence[Message], *, remember: bool = True) -> list[Hit]:
        """The items to read, most relevant first.

        A continued conversation keeps its choice, so that the prompt's prefix, and the KV cache of it, stays
        valid; only what was changed or deleted since is changed or missing. The search is repeated when no
        chosen item matched, or none that did is left, and at the start of a conversation, where another one
        may have begun with the same words. Items without a match (score 0) fill up the number: the person's
        newest documents show at least how they write. Items that are off come with those that are read: see
        read_first.

        Without `remember` this is a preview: it gives what would be read, and stores nothing.
        """
        if self._top_k == 0:
            return []
        keys = _prefixes(profile_id, messages)
        goes_on = any(message.role == "assistant" for message in messages)
        known = self._remembered.first(reversed(keys)) if goes_on else None
        hits = self._history.hits(profile_id, json.loads(known)) if known else []
        if not any(hit.score > 0 for hit in hits):
            hits = self._search(profile_id, messages)
        if remember and any(hit.score > 0 for hit in hits):
            found = [(hit.stored.id, hit.number, hit.score) for hit in hits]
            try:
                self._remembered.keep(keys[-1], json.dumps(found).encode(), profile_id)
            except StoreError as error:  # the next turn searches again
                log.warning("which passages were chosen is not kept: %s", error.reason)
        return hits

    def keep_only(self, profile_ids: Collection[str]) -> None:
        """Forget the choices of every other profile."""
        self._remembered.keep_only(profile_ids)

    def _search(self, profile_id: str, messages: Sequence[Message]) -> list[Hit]:
        asked = queries(messages)
        hits = _best(lambda limit: self._history.search(profile_id, asked, limit), self._top_k)
        taken = {hit.stored.id for hit in hits}
        spare = self._top_k - sum(map(_is_read, hits))
        return hits + _best(lambda limit: self._newest(profile_id, limit), spare, taken)

    def _newest(self, profile_id: str, limit: int) -> list[Hit]:
        newest = self._history.recent(profile_id, limit)
        return [Hit(stored, passages(stored.item.text)[0], 0, 0.0) for stored in newest]


def read_first(ranked: Iterable[Hit], count: int) -> list[Hit]:
    """The first `count` hits that are not off, and in front of the last of them those that are off, at most
    as many. These are not read, but what they say is guarded where others say it."""
    read, off = 0, 0
    chosen = []
    for hit in ranked:
        if read == count:
            break
        if _is_read(hit):
            read += 1
        elif off < count:
            off += 1
        else:
            continue
        chosen.append(hit)
    return chosen


def _is_read(hit: Hit) -> bool:
    return hit.stored.item.disclosure != "off"


def _best(
    search: Callable[[int], Sequence[Hit]], count: int, taken: Collection[int] = frozenset()
) -> list[Hit]:
    """See read_first. `search` finds the first so many of a ranking; items `taken` already are left out."""
    limit = count + len(taken)
    while count:
        hits = search(limit)
        chosen = read_first((hit for hit in hits if hit.stored.id not in taken), count)
        if len(hits) < limit or sum(map(_is_read, chosen)) == count:
            return chosen
        limit *= 2
    return []


def queries(messages: Sequence[Message]) -> list[tuple[float, list[str]]]:
    """What to search for: the weight and the words of each of the user's last turns, last turn first."""
    turns = [message.content for message in reversed(messages) if message.role == "user"][:TURNS]
    return [(DECAY**age, terms(turn)) for age, turn in enumerate(turns)]


def _prefixes(profile_id: str, messages: Sequence[Message]) -> list[bytes]:
    """A key for each prefix of the conversation, shortest first; the last is of the whole conversation."""
    digest = hashlib.sha256(profile_id.encode())
    keys = []
    for message in messages:
        content = message.content.encode()
        digest.update(f"\0{message.role}\0{len(content)}\0".encode() + content)
        keys.append(digest.digest())
    return keys
