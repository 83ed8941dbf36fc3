"""The words that the small model must not help a reply to say, and what a reply says in place of some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, repr=False)
class Placeholder:
    """What the remote is told in place of a value: a constant text, the same for everybody."""

    text: str
    value: str

    def __repr__(self) -> str:
        return f"Placeholder({self.text!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Guarded:
    """What is guarded in one conversation.

    `words`: for each run of none to four folded words, those that must not follow it by the small model's
    help; behind the empty run stand those that are guarded everywhere. `fills`: for the folded word that begins
    a value of level fill, what the reply says instead; each such word is guarded everywhere. `placeholders`:
    all that are filled in where they stand in the remote's text, whatever their case; no two have one text.
    They do not depend on the conversation.
    """

    words: Mapping[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    fills: Mapping[str, Placeholder] = field(default_factory=dict)
    placeholders: tuple[Placeholder, ...] = ()

    def __repr__(self) -> str:
        return f"Guarded({sum(map(len, self.words.values()))} words, {len(self.placeholders)} placeholders)"
