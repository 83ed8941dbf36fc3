"""A proposal: a field or a preference that a profile could have, with the passage that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.disclosure.words import words
from app.profiles.disclosure import Level
from app.profiles.profile import Preference, Profile

Kind = Literal["field", "preference"]


@dataclass(frozen=True, slots=True, repr=False)
class Proposal:
    """What the history of a profile suggests. Nothing of it is stored.

    A field has a `key` and a `value`, which is the part `start`..`end` of the `passage`; a preference has no
    key, and perhaps an `opposite`. The passage is one line, from the item `item_id` of the history.
    `confidence` is from 0 to 1, `passages` the number of those that say the same. `level` is the level of
    disclosure that a field gets, unless the person decides otherwise.
    """

    kind: Kind
    key: str
    value: str
    passage: str
    start: int
    end: int
    item_id: int
    confidence: float
    passages: int = 1
    opposite: str = ""
    level: Level = "open"

    def __repr__(self) -> str:
        return f"Proposal({self.kind}, {len(self.value)} characters)"

    @property
    def preference(self) -> Preference:
        """A preference as a profile has it."""
        return Preference(self.value, self.opposite)


def unknown(proposals: Sequence[Proposal], profile: Profile) -> list[Proposal]:
    """Those that say something new: of no field that the profile has, and of no value that it has anywhere.
    Each once, the first of those that say the same."""
    keys = {folded_text(key) for key, _ in profile.fields}
    said = [folded_text(text) for _, text in profile.fields]
    seen = {folded_text(text) for one in profile.preferences for text in (one.text, one.opposite)}
    found = []
    for one in proposals:
        value = folded_text(one.value)
        if one.kind == "field" and (
            folded_text(one.key) in keys or any(_within(value, text) for text in said)
        ):
            continue
        if value not in seen:
            seen.add(value)
            found.append(one)
    return found


def folded_text(text: str) -> str:
    """The words of a text, as two texts that say the same have them."""
    return " ".join(words(text))


def _within(value: str, text: str) -> bool:
    return f" {value} " in f" {text} "
