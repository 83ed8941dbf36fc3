"""Levels of disclosure: what a steered reply may tell the remote of what a person has stored.

| level | the small model reads it | the remote may hear it | the client sees it |
|---|---|---|---|
| open | yes | yes, as words of the reply | yes |
| shape | yes | only where the remote would have said it itself | as written |
| fill | yes | as a placeholder, "[Your first name]" | the value, written in on the device |
| off | no | no | no |
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, get_args

Level = Literal["open", "shape", "fill", "off"]
LEVELS: tuple[Level, ...] = get_args(Level)  # the least strict first
# What identifies a person and is found wherever it stands: in a field, in a text of the history.
Identifier = Literal["name", "email", "phone", "address", "number", "url"]
IDENTIFIERS: tuple[Identifier, ...] = get_args(Identifier)


def strictest(*levels: Level) -> Level:
    """The strictest of the levels."""
    return max(levels, key=LEVELS.index)


@dataclass(frozen=True, slots=True, repr=False)
class Disclosure:
    """What a person has decided. All is at least as strict as `least`; what is not decided has the defaults.

    `budget`: how much a conversation may tell the remote before the rest of it is unsteered, in nats; None is
    no bound.
    """

    least: Level = "open"
    identifiers: tuple[tuple[Identifier, Level], ...] = ()
    fields: tuple[tuple[str, Level], ...] = ()
    budget: float | None = None

    def __repr__(self) -> str:
        return f"Disclosure(least={self.least!r}, {len(self.fields)} fields)"

    def at_least(self, level: Level) -> Disclosure:
        """The same, with nothing below `level`."""
        return replace(self, least=strictest(self.least, level))

    def within(self, budget: float | None) -> Disclosure:
        """The same, with a budget of at most that; None bounds nothing."""
        budgets = [one for one in (self.budget, budget) if one is not None]
        return replace(self, budget=min(budgets, default=None))

    def for_fields(self, keys: Collection[str]) -> Disclosure:
        """The same, without levels of fields that are not among the `keys`."""
        return replace(self, fields=tuple(one for one in self.fields if one[0] in keys))

    def of_field(self, key: str) -> Level:
        """A field's level: open, unless decided otherwise."""
        return strictest(self.least, dict(self.fields).get(key, "open"))

    def of_item(self, level: Level) -> Level:
        """The level of a text of the history, whose own is `level`."""
        return strictest(self.least, level)

    def of_identifier(self, kind: Identifier, within: Level, *, alone: bool) -> Level:
        """The level of an identifier that stands within a field or text of level `within`. `alone`: it is all
        that the field says. Names are filled in, unless decided otherwise, and so is what stands alone; other
        identifiers shape."""
        default: Level = "fill" if kind == "name" or alone else "shape"
        return strictest(self.least, within, dict(self.identifiers).get(kind, default))
