"""The profile and history types that the other packages use; their repr shows no private text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from app.profiles.disclosure import Disclosure, Level
from app.steering.strength import Strength

Kind = Literal["document", "turn"]

# Characters of one history item: a book, not a library.
MAX_TEXT = 1_000_000
# Characters of what a document answers.
MAX_REQUEST = 10_000
# Characters kept of a turn's question; of a longer one about the first and the last half of that.
MAX_QUESTION = 100_000
CUT = " … "


@dataclass(frozen=True, slots=True, repr=False)
class HistoryItem:
    """One piece of the person's own writing (a document), or one exchange with a model (a turn).

    `request` is what the text answers: a turn's question, or what somebody might have asked to get the
    document. It, `title` and `source` (where the item came from) may be empty. `created_at` is in UTC; None
    means the time of storing. `disclosure` is how much of it a reply may tell the remote.
    """

    title: str
    text: str
    kind: Kind = "document"
    source: str = ""
    created_at: datetime | None = None
    request: str = ""
    disclosure: Level = "open"

    def __repr__(self) -> str:
        return f"HistoryItem({self.kind}, {len(self.text)} characters)"

    @property
    def answers(self) -> str:
        """What the text is shown as an answer to: the request, else the title, else ""."""
        return self.request.strip() or self.title.strip()


def turn(question: str, reply: str) -> HistoryItem:
    """A finished exchange as a history item."""
    question, reply = (text.replace("\0", "").strip() for text in (question, reply))
    if len(question) > MAX_QUESTION:
        half = (MAX_QUESTION - len(CUT)) // 2
        question = f"{question[:half]}{CUT}{question[-half:]}"
    return HistoryItem("", reply, "turn", source="chat", request=question)


def longest_request(kind: Kind) -> int:
    """The most characters that an item's request may have."""
    return MAX_QUESTION if kind == "turn" else MAX_REQUEST


def split_turn(item: HistoryItem) -> HistoryItem:
    """A turn of an earlier version, which has both sides in its text, in parts; any other item as it is.

    The question ends where the first "Assistant: " begins a paragraph. Nothing is split off that would leave
    the text blank or make a request that is too long.
    """
    head, found, reply = item.text.partition("\n\nAssistant: ")
    question = head.removeprefix("User: ")
    old = item.kind == "turn" and not item.request and head.startswith("User: ") and found
    if not old or not reply.strip() or len(question) > MAX_QUESTION:
        return item
    return replace(item, request=question, text=reply)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """A history item with its id; ids are never reused, and later items have greater ones."""

    id: int
    item: HistoryItem


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """A search hit: an item, its best matching passage, and the BM25 score (higher is better).

    `number` is the passage's index in the item, from 0. A score of 0 marks an item chosen without a match.
    """

    stored: StoredItem
    passage: str
    number: int
    score: float

    def __repr__(self) -> str:
        return f"Hit(id={self.stored.id}, score={self.score:.2f})"


@dataclass(frozen=True, slots=True, repr=False)
class Preference:
    """How replies should be, and the opposite of that; an empty `opposite` is none."""

    text: str
    opposite: str = ""

    def __repr__(self) -> str:
        return f"Preference({len(self.text)} characters)"


@dataclass(frozen=True, slots=True, repr=False)
class Profile:
    """What the local model may read about one person besides the history, and how replies are steered.

    `id` is a slug and public; the rest is private. `fields` are facts and `preferences` how replies should
    be, both in the person's own order. A `strength` of None means the setting's. With `record_history` each
    finished exchange is added to the history as a turn. `disclosure` is what replies may tell the remote of
    all this. The store sets `uid` anew when a profile is created or replaced, so it tells apart two people
    who had the same id. Within one uid, `version` grows with each change of the profile, and with each
    correction or erasure in the history, not with additions. Neither counts in comparisons.
    """

    id: str
    name: str
    fields: tuple[tuple[str, str], ...] = ()
    is_default: bool = False
    strength: Strength | None = None
    record_history: bool = False
    preferences: tuple[Preference, ...] = ()
    disclosure: Disclosure = field(default_factory=Disclosure)
    uid: str = field(default="", compare=False)
    version: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if len(dict(self.fields)) != len(self.fields):
            raise ValueError("each key of a profile's fields may stand once only")
        if len({one.text for one in self.preferences}) != len(self.preferences):
            raise ValueError("each text of a profile's preferences may stand once only")

    def __repr__(self) -> str:
        return f"Profile(id={self.id!r}, {len(self.fields)} fields)"


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile with the store's metadata: the number of its history items, and times in UTC."""

    profile: Profile
    history_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class ProfileDocument:
    """A profile with its whole history, oldest first: the content of a profile file or an export.

    A time of None means the time of storing.
    """

    profile: Profile
    history: tuple[HistoryItem, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __repr__(self) -> str:
        return f"ProfileDocument(id={self.profile.id!r}, {len(self.history)} history items)"
