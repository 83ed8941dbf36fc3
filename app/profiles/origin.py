"""Where a history item was read, and the hash by which its content is recognised."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from app.profiles.disclosure import Level
from app.profiles.profile import HistoryItem, Kind


def content_hash(item: HistoryItem) -> str:
    """SHA-256, in hexadecimal, of what the item is and says: its kind, title, request and text."""
    # Migration 0008 hashes the items of before in the same way.
    content = json.dumps([item.kind, item.title, item.request, item.text], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class Origin:
    """The absolute path of a file, the part of it, and the hash of what was read there last.

    All are empty for an item that was not read from a file. A correction by hand leaves `read` as it is: so a
    file that has not changed since does not undo it.
    """

    file: str = ""
    part: str = ""
    read: str = ""

    def __repr__(self) -> str:
        return "Origin()" if not self.file else "Origin(a file)"


@dataclass(frozen=True, slots=True)
class Known:
    """A stored item: its id, where it was read, the hash of what it says now, and its level."""

    id: int
    origin: Origin
    hash: str
    level: Level = "open"


@dataclass(frozen=True, slots=True, repr=False)
class Root:
    """A folder that is kept in step with a history. `me` are the person's names and addresses in it, besides
    those of the profile; `kind` and `level` hold for items that do not say so themselves."""

    path: str
    me: tuple[str, ...] = ()
    kind: Kind | None = None
    level: Level | None = None

    def __repr__(self) -> str:
        return "Root()"


@dataclass(frozen=True, slots=True)
class Add:
    """A new item, and where it was read."""

    item: HistoryItem
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True)
class Replace:
    """What is read now in place of a stored item, which keeps its level unless one is given."""

    id: int
    item: HistoryItem
    origin: Origin
    level: Level | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Move:
    """A stored item that is read somewhere else now. Where its title is the first of `names`, that of its
    file before, it becomes the second."""

    id: int
    origin: Origin
    names: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Relevel:
    """A stored item that gets another level."""

    id: int
    level: Level


@dataclass(frozen=True, slots=True)
class Remove:
    """A stored item that is to be erased."""

    id: int


Change = Add | Replace | Move | Relevel | Remove
