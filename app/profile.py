"""A person's profile and their own writing, as the product handles them; neither prints what is private."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, repr=False)
class HistoryItem:
    """One piece of the person's own writing; `title` may be empty."""

    title: str
    text: str

    def __repr__(self) -> str:
        return f"HistoryItem({len(self.text)} characters)"


@dataclass(frozen=True, slots=True, repr=False)
class Profile:
    """Everything the local model may read about one person.

    `id` is a slug and public; the rest is private. `fields` and `history` keep the person's own order.
    """

    id: str
    name: str
    fields: tuple[tuple[str, str], ...] = ()
    is_default: bool = False
    history: tuple[HistoryItem, ...] = ()

    def __post_init__(self) -> None:
        if len(dict(self.fields)) != len(self.fields):
            raise ValueError("each key of a profile's fields may stand once only")

    def __repr__(self) -> str:
        return f"Profile(id={self.id!r}, {len(self.fields)} fields, {len(self.history)} history items)"


@dataclass(frozen=True, slots=True, repr=False)
class ProfileSummary:
    """What a list of profiles shows; `history_count` in items, times in UTC."""

    id: str
    name: str
    is_default: bool
    history_count: int
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"ProfileSummary(id={self.id!r}, {self.history_count} history items)"
