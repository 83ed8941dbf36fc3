"""What of a history is looked at: the newest texts and those that a search finds, without what is off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from app.disclosure.withheld import withheld
from app.profiles.disclosure import Disclosure
from app.profiles.profile import MAX_QUESTION, HistoryItem, Hit, Kind, Profile, StoredItem
from app.profiles.terms import terms
from app.prompts.private import PrivateContext
from app.proposals.fields import FIELDS
from app.proposals.sentences import clean, own_text, unquoted

# The newest items that are looked at, and those that a search finds for each field.
NEWEST, FOUND = 200, 10
# Characters that are looked at, of the newest and of what a search finds.
MOST_NEWEST, MOST_FOUND = 750_000, 250_000
# Items in memory at once: each may have a million characters.
AT_ONCE = 20


class Page(Protocol):
    """See profiles/store/history.py."""

    @property
    def items(self) -> Sequence[StoredItem]: ...

    @property
    def has_more(self) -> bool: ...


class History(Protocol):
    """The part of the store that is read."""

    def page(self, profile_id: str, *, after: int | None = None, limit: int = 20) -> Page: ...

    def search(
        self, profile_id: str, queries: Sequence[tuple[float, Sequence[str]]], limit: int
    ) -> list[Hit]: ...


@dataclass(frozen=True, slots=True, repr=False)
class OwnText:
    """What a person wrote themselves, clean: a document's text, or their side of an exchange. `request` is
    what a document answers. A part is a passage of a long text."""

    item_id: int
    text: str
    kind: Kind = "document"
    request: str = ""
    part: bool = False

    def __repr__(self) -> str:
        return f"OwnText({self.item_id}, {len(self.text)} characters)"


def read(history: History, profile: Profile, disclosure: Disclosure) -> list[OwnText]:
    """The newest texts first, then what is found in older or longer ones.

    Reads the database: for a worker thread. Raises StoreError and ProfileNotFound.
    """
    newest = _within(_newest(history, profile.id), MOST_NEWEST)
    found = _within(_found(history, profile.id), MOST_FOUND)
    return [*_readable([*newest, *found], profile, disclosure)]


def _within(texts: Iterable[OwnText], most: int) -> Iterator[OwnText]:
    """The first of them, of at most so many characters together."""
    for one in texts:
        most -= len(one.text)
        if most < 0:
            return
        yield one


def _newest(history: History, profile_id: str) -> Iterator[OwnText]:
    after: int | None = None
    for _ in range(NEWEST // AT_ONCE):
        page = history.page(profile_id, after=after, limit=AT_ONCE)
        yield from (_own(one, own_text(one)) for one in page.items if _may_be_read(one))
        if not page.has_more:
            return
        after = page.items[-1].id


def _found(history: History, profile_id: str) -> Iterator[OwnText]:
    """Passages of documents: of an exchange the text is what the model wrote."""
    for field in FIELDS:
        for hit in history.search(profile_id, [(1.0, terms(field.search))], FOUND):
            if hit.stored.item.kind == "document" and _may_be_read(hit.stored):
                yield _own(hit.stored, clean(hit.passage), part=True)


def _may_be_read(stored: StoredItem) -> bool:
    return stored.item.disclosure != "off"


def _own(stored: StoredItem, text: str, *, part: bool = False) -> OwnText:
    item = stored.item
    request = clean(item.answers) if item.kind == "document" else ""
    return OwnText(stored.id, unquoted(text), item.kind, request[:MAX_QUESTION], part)


def _readable(texts: Iterable[OwnText], profile: Profile, disclosure: Disclosure) -> Iterator[OwnText]:
    """What the small model may read of texts, as withheld() has it."""
    for one in texts:
        hit = _as_hit(one)
        for kept in withheld(PrivateContext(profile, (hit,)), disclosure).history:
            item = kept.stored.item
            yield replace(one, text=kept.passage, request=item.request)


def _as_hit(text: OwnText) -> Hit:
    item = HistoryItem("", text.text, text.kind, request=text.request)
    return Hit(StoredItem(text.item_id, item), text.text, 0, 0.0)
