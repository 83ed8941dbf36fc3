"""Leaves out what the small model must not read: all that is of level off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.disclosure.identifiers import alone, identifiers, level_of, regions
from app.disclosure.placeholders import KINDS
from app.profiles.disclosure import Disclosure, Level
from app.profiles.profile import Hit, Preference, Profile
from app.prompts.private import PrivateContext


def withheld(private: PrivateContext, disclosure: Disclosure) -> PrivateContext:
    """The context without what is off: fields, texts of the history, a name (which is then empty), and
    identifiers within other texts, in whose place stands a placeholder. Preferences stay.

    It is the same object where nothing is off.
    """
    if not _anything_off(private, disclosure):
        return private
    read = _Reader(private, disclosure)
    return PrivateContext(
        read.profile(private.profile) if private.profile is not None else None,
        tuple(read.hit(one) for one in private.history if read.level(one) != "off"),
        read.preferences(private.preferences),
    )


def _anything_off(private: PrivateContext, disclosure: Disclosure) -> bool:
    decided = [level for _, level in (*disclosure.identifiers, *disclosure.fields)]
    return "off" in (disclosure.least, *decided, *(one.stored.item.disclosure for one in private.history))


class _Reader:
    """Reads each part of one private context as far as it is not off."""

    def __init__(self, private: PrivateContext, disclosure: Disclosure) -> None:
        profile = private.profile
        self._disclosure = disclosure
        self._name = profile.name if profile is not None else ""
        self._regions = regions(value for _, value in profile.fields) if profile is not None else ()

    def level(self, hit: Hit) -> Level:
        return self._disclosure.of_item(hit.stored.item.disclosure)

    def profile(self, profile: Profile) -> Profile:
        named = self._disclosure.of_identifier("name", "open", alone=True) != "off"
        fields = [(key, self._field(key, value)) for key, value in profile.fields]
        return replace(
            profile,
            name=profile.name if named else "",
            fields=tuple((key, value) for key, value in fields if value),
            preferences=self.preferences(profile.preferences),
        )

    def hit(self, hit: Hit) -> Hit:
        """Of the item no more than the passage is left, which is all that is read."""
        level, item = self.level(hit), hit.stored.item
        title, passage, request = (
            self._text(text, level) for text in (item.title, hit.passage, item.request)
        )
        read = replace(item, title=title, text=passage, request=request)
        return replace(hit, stored=replace(hit.stored, item=read), passage=passage)

    def preferences(self, preferences: Sequence[Preference]) -> tuple[Preference, ...]:
        """Texts that were apart by an identifier alone may be one text now; the first of them stays."""
        least = self._disclosure.least
        read = {
            text: Preference(text, self._text(one.opposite, least))
            for one in reversed(preferences)
            if (text := self._text(one.text, least))
        }
        return tuple(reversed(read.values()))

    def _field(self, key: str, value: str) -> str:
        """A field's value, empty if it is off."""
        level = self._disclosure.of_field(key)
        return "" if level == "off" else self._text(value, level, key=key)

    def _text(self, text: str, level: Level, *, key: str = "") -> str:
        """A text with placeholders for what is off in it; empty if that is all of it."""
        parts, end = [], 0
        for one in identifiers(text, key=key, name=self._name, regions=self._regions):
            only = bool(key) and alone(text, one)
            if level_of(one, level, self._disclosure, alone=only) != "off":
                continue
            if only:
                return ""
            parts += [text[end : one.start], KINDS[one.kind][0]]
            end = one.end
        return "".join([*parts, text[end:]])
