"""A person's profile and their own writing, as the product handles them; none prints what is private."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.steering.strength import Strength

Kind = Literal["document", "turn"]

# What one item of history may hold: a book, not a library. In characters.
MAX_TEXT = 1_000_000
# What is kept of a longer question: as much of its beginning and of its end.
MAX_QUESTION = 100_000


@dataclass(frozen=True, slots=True, repr=False)
class HistoryItem:
    """One piece of the person's own writing (a document), or one exchange with a model (a turn).

    `title` and `source`, where it came from, may be empty. `created_at` is in UTC; None: when it is stored.
    """

    title: str
    text: str
    kind: Kind = "document"
    source: str = ""
    created_at: datetime | None = None

    def __repr__(self) -> str:
        return f"HistoryItem({self.kind}, {len(self.text)} characters)"


def turn(question: str, reply: str) -> HistoryItem:
    """A finished exchange, as it is recorded."""
    if len(question) > MAX_QUESTION:
        question = f"{question[: MAX_QUESTION // 2]} … {question[-MAX_QUESTION // 2 :]}"
    text = f"User: {question.strip()}\n\nAssistant: {reply.strip()}".replace("\0", "")
    return HistoryItem("", text, "turn", source="chat")


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item of the history with its id, which is never used twice; a later item has a greater one."""

    id: int
    item: HistoryItem


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """What a search found: an item, its passage that matched best, and the BM25 score (more is better).

    `number` counts the item's passages from 0. A score of 0 is an item that was taken without a match.
    """

    stored: StoredItem
    passage: str
    number: int
    score: float

    def __repr__(self) -> str:
        return f"Hit(id={self.stored.id}, score={self.score:.2f})"


@dataclass(frozen=True, slots=True, repr=False)
class Profile:
    """What the local model may read about one person, and how their replies are made; not their history.

    `id` is a slug and public; the rest is private. `fields` keep the person's own order. A `strength` of
    None leaves it to the setting. With `record_history` each finished exchange becomes a turn of the history.
    `uid` is the store's: a profile that is created or replaced gets another one, though its id may have been
    a different person's before. `version`, of the same uid, grows with each change, and with each correction
    or erasure in the history; what is added there does not count. Neither is part of what a profile says.
    """

    id: str
    name: str
    fields: tuple[tuple[str, str], ...] = ()
    is_default: bool = False
    strength: Strength | None = None
    record_history: bool = False
    uid: str = field(default="", compare=False)
    version: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if len(dict(self.fields)) != len(self.fields):
            raise ValueError("each key of a profile's fields may stand once only")

    def __repr__(self) -> str:
        return f"Profile(id={self.id!r}, {len(self.fields)} fields)"


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile with what the store knows of it: the number of its history items, and times in UTC."""

    profile: Profile
    history_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class ProfileDocument:
    """A profile with its whole history, oldest first: what a file or an export holds.

    Times of None are the time of storing.
    """

    profile: Profile
    history: tuple[HistoryItem, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __repr__(self) -> str:
        return f"ProfileDocument(id={self.profile.id!r}, {len(self.history)} history items)"
