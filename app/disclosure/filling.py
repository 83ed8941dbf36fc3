"""Writes values in where a reply has placeholders, and placeholders where an earlier reply has values."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.disclosure.placeholders import Placeholder


class Filler:
    """Text as it streams, with the values of its placeholders. Upper and lower case are one."""

    def __init__(self, placeholders: Sequence[Placeholder]) -> None:
        self._values = {one.text.lower(): one.value for one in placeholders}
        self._opens = {text[0] for text in self._values}
        self._ready, self._held = "", ""
        self.filled = 0  # how many values have been written in

    def push(self, text: str) -> str:
        """The text that can be released: nothing while a placeholder may have begun."""
        self._held += text
        at = 0
        while at < len(self._held):
            if (found := self._at(at)) is not None:
                self._ready += self._values[found]
                self.filled += 1
                at += len(found)
            elif self._may_begin(at):
                break
            else:
                end = self._next(at + 1)
                self._ready += self._held[at:end]
                at = end
        self._held = self._held[at:]
        return "" if self._held else self.flush()

    def flush(self) -> str:
        """What is left, with nothing more to come."""
        out, self._ready, self._held = self._ready + self._held, "", ""
        return out

    def _next(self, at: int) -> int:
        """Where the next placeholder may begin."""
        return min(
            (i for one in self._opens if (i := self._held.find(one, at)) >= 0), default=len(self._held)
        )

    def _at(self, at: int) -> str | None:
        """The placeholder that stands there."""
        return next((one for one in self._values if self._held[at : at + len(one)].lower() == one), None)

    def _may_begin(self, at: int) -> bool:
        rest = self._held[at:].lower()
        return any(len(rest) < len(one) and one.startswith(rest) for one in self._values)


def turned_back(text: str, placeholders: Sequence[Placeholder]) -> str:
    """The text of an earlier reply with placeholders in the place of values, the longest values first."""
    values = {one.value: one.text for one in reversed(placeholders) if one.value.strip()}
    if not values:
        return text
    longest = sorted(values, key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in longest)
    return re.sub(pattern, lambda found: values[found[0]], text)
