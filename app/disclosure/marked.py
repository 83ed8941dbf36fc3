"""Each phrase of what is read of a person, with the level that holds for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.disclosure.identifiers import Found, alone, identifiers, level_of, regions
from app.profiles.disclosure import Disclosure, Identifier, Level, strictest
from app.profiles.profile import Hit, Profile
from app.prompts.private import PrivateContext

What = Literal["field", "item", Identifier]

# Characters of an item's title or text that are enough to tell which it is.
BEGINNING = 60


@dataclass(frozen=True, slots=True, repr=False)
class Marked:
    """A phrase and its level. It is, or stands in, the field of that `key` or the `item` of that id; the name
    of the profile has neither."""

    text: str
    what: What
    level: Level
    key: str | None = None
    item: int | None = None

    def __repr__(self) -> str:
        return f"Marked({self.what}, {self.level}, {len(self.text)} characters)"


def marked(private: PrivateContext, disclosure: Disclosure) -> tuple[Marked, ...]:
    """The name, each field and each retrieved item (the beginning of its title, else of its passage), each
    followed by the identifiers in it, in the order in which they stand; none twice in one field or item.

    `private` is the context before anything is withheld, so that what is off is marked too. Preferences and
    the names of others are not marked.
    """
    marker = _Marker(private, disclosure)
    found = [*marker.profile(private.profile)] if private.profile is not None else []
    found += (one for hit in private.history for one in marker.hit(hit))
    return tuple(dict.fromkeys(found))


class _Marker:
    """Marks the parts of one private context."""

    def __init__(self, private: PrivateContext, disclosure: Disclosure) -> None:
        profile = private.profile
        self._disclosure = disclosure
        self._name = profile.name if profile is not None else ""
        self._regions = regions(value for _, value in profile.fields) if profile is not None else ()

    def profile(self, profile: Profile) -> Iterator[Marked]:
        if profile.name:
            level = self._disclosure.of_identifier("name", "open", alone=True)
            yield Marked(profile.name, "name", level)
        for key, value in profile.fields:
            yield from self._field(key, value)

    def hit(self, hit: Hit) -> Iterator[Marked]:
        item, number = hit.stored.item, hit.stored.id
        level = self._disclosure.of_item(item.disclosure)
        yield Marked(_beginning(item.title) or _beginning(hit.passage), "item", level, item=number)
        for text in dict.fromkeys((item.title, item.answers, hit.passage)):
            for one in self._identifiers(text):
                own = level_of(one, level, self._disclosure, alone=False)
                yield Marked(text[one.start : one.end], one.kind, own, item=number)

    def _field(self, key: str, value: str) -> Iterator[Marked]:
        """A field that is all one identifier has that one's level, which is the stricter one."""
        level = whole = self._disclosure.of_field(key)
        within = []
        for one in self._identifiers(value, key=key):
            only = alone(value, one)
            own = level_of(one, level, self._disclosure, alone=only)
            whole = strictest(whole, own) if only else whole
            within.append(Marked(value[one.start : one.end], one.kind, own, key=key))
        yield Marked(value, "field", whole, key=key)
        yield from within

    def _identifiers(self, text: str, *, key: str = "") -> list[Found]:
        return identifiers(text, key=key, name=self._name, regions=self._regions)


def _beginning(text: str) -> str:
    """The first words, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= BEGINNING else f"{line[: BEGINNING - 1].rstrip()}…"
