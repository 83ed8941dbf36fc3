"""Writes values in where a reply has placeholders, and placeholders where an earlier reply has values."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.disclosure.placeholders import Placeholder
from app.disclosure.words import pieces, words

# Where a value would be sent to an address once a client shows the text: in a URL, a link's target, a tag.
SENT = re.compile(r"(?:://|\]\(|\]:\s?|<[A-Za-z/!][^<>]{0,500})\S*\Z|<[A-Za-z/!][^<>]{0,500}\Z")
TAIL = 600  # characters in front of a placeholder that are looked at for that


class Filler:
    """Text as it streams, with the values of its placeholders. Upper and lower case are one.

    A placeholder in a URL, the target of a link or a tag stays: the remote could ask for a value there.
    """

    def __init__(self, placeholders: Sequence[Placeholder]) -> None:
        self._values = {one.text.lower(): one.value for one in placeholders}
        self._opens = {text[0] for text in self._values}
        self._ready, self._held = "", ""
        self._longest = max(map(len, self._values), default=0)
        self._tail = ""  # the end of what is released
        self.filled = 0  # how many values have been written in

    def push(self, text: str) -> str:
        """The text that can be released: nothing while a placeholder may have begun."""
        self._held += text
        at = 0
        while at < len(self._held):
            if (found := self._at(at)) is not None:
                self._fill(found, self._held[at : at + len(found)])
                at += len(found)
            elif self._may_begin(at):
                break
            else:
                end = self._next(at + 1)
                self._release(self._held[at:end])
                at = end
        self._held = self._held[at:]
        return "" if self._held else self.flush()

    def flush(self) -> str:
        """What is left, with nothing more to come."""
        out, self._ready, self._held = self._ready + self._held, "", ""
        return out

    def _fill(self, found: str, text: str) -> None:
        if SENT.search(self._tail):
            self._release(text)
        else:
            self._release(self._values[found])
            self.filled += 1

    def _release(self, text: str) -> None:
        self._ready += text
        self._tail = (self._tail + text)[-TAIL:]

    def _next(self, at: int) -> int:
        """Where the next placeholder may begin."""
        return min(
            (i for one in self._opens if (i := self._held.find(one, at)) >= 0), default=len(self._held)
        )

    def _at(self, at: int) -> str | None:
        """The placeholder that stands there."""
        return next((one for one in self._values if self._held[at : at + len(one)].lower() == one), None)

    def _may_begin(self, at: int) -> bool:
        rest = self._held[at : at + self._longest].lower()
        return any(len(rest) < len(one) and one.startswith(rest) for one in self._values)


def turned_back(text: str, placeholders: Sequence[Placeholder]) -> str:
    """The text of an earlier reply with placeholders in the place of values, the longest values first.

    A value is found by its words, folded; one with a capital only where the text has that capital too.
    """
    values: dict[tuple[str, ...], Placeholder] = {}
    for one in placeholders:
        values.setdefault(tuple(words(one.value)), one)
    values.pop((), None)
    longest = max(map(len, values), default=0)
    found = [(word, one) for one in pieces(text) for word in one.words] if values else []
    parts, end, at = [], 0, 0
    while at < len(found):
        start = found[at][1].start
        for size in range(min(longest, len(found) - at), 0, -1):
            value = values.get(tuple(word for word, _ in found[at : at + size]))
            if value is not None and (text[start].isupper() or not value.value[:1].isupper()):
                parts += [text[end:start], value.text]
                end = found[at + size - 1][1].end
                at += size
                break
        else:
            at += 1
    return "".join([*parts, text[end:]])
