"""What a person wrote in a chat with people: the lines of one conversation after the other, as texts.

A chat's messages are too short to show much each, so those of one conversation are one text, a message a
line. A conversation ends with a silence of SILENCE, and a text is full with FULL characters, which is about
one passage of the search. Its request is what the others wrote right before it: it is what the text answers,
which is how the small model reads an earlier text. They are somebody else's words, so few are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.profiles.folding import folded
from app.profiles.profile import MAX_TEXT, HistoryItem
from app.sources.exports.cleaning import LEAST, cleaned, long_enough
from app.sources.exports.parts import Parts
from app.sources.found import Found, LeftOut, Person

# Nights part conversations, meals do not.
SILENCE = timedelta(hours=6)
FULL = 1500
# Characters kept of what the others wrote before.
MAX_ASKED = 500
TOO_SHORT = f"a conversation with fewer than {LEAST} characters of yours"
LONG = f"a message of more than {MAX_TEXT:,} characters"
NO_NAME = 'whose lines are wanted is not known; say --me "NAME", as the chat writes your name'


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """A message with words: `key` names it within its chat, `when` is in UTC."""

    mine: bool
    key: str
    text: str
    when: datetime | None


def conversations(lines: Iterable[Line], title: str, parts: Parts) -> Iterator[Found | LeftOut]:
    """The person's lines as texts; how many conversations are too short comes last."""
    passed: Counter[str] = Counter()
    text = _Text(title)
    last: datetime | None = None
    for line in lines:
        if last and line.when and line.when - last > SILENCE:
            yield from text.ended(parts, passed)
            text.forget()
        last = line.when or last
        said = cleaned(line.text)
        if not line.mine:
            text.asked(said)
        elif len(said) > MAX_TEXT - FULL:
            passed[LONG] += 1
        elif said:
            text.add(said, line)
            if text.size >= FULL:
                yield from text.ended(parts, passed)
    yield from text.ended(parts, passed)
    yield from (LeftOut(reason, count) for reason, count in passed.items())


class _Text:
    """The person's lines of a conversation so far, and what the others wrote since."""

    def __init__(self, title: str) -> None:
        self.size = 0
        self._title = title
        self._lines: list[str] = []
        self._first: Line | None = None
        self._request = self._before = ""

    def asked(self, said: str) -> None:
        self._before = f"{self._before}\n{said[-MAX_ASKED:]}"[-MAX_ASKED:].strip()

    def add(self, said: str, line: Line) -> None:
        if self._first is None:
            self._first, self._request = line, self._before
        self._lines.append(said)
        self.size += len(said) + 1
        self._before = ""

    def forget(self) -> None:
        self._before = ""

    def ended(self, parts: Parts, passed: Counter[str]) -> Iterator[Found]:
        """The text, if it is long enough; the next one begins."""
        first, text, request = self._first, "\n".join(self._lines), self._request
        self._lines, self._first, self._request, self.size = [], None, "", 0
        if first is None:
            return
        # A part is used up by a text that is too short as well, so that the others keep theirs.
        item = HistoryItem(self._title, text, created_at=first.when, request=request)
        found = parts.found(item, first.key)
        if long_enough(text):
            yield found
        else:
            passed[TOO_SHORT] += 1


def known(person: Person) -> frozenset[str]:
    """The person's names as `named` writes them."""
    return frozenset(filter(None, map(named, person.names)))


def named(name: str) -> str:
    """A name to compare: without case, accents, marks of direction, and the tilde of who is no contact."""
    return " ".join(folded(cleaned(name[:300]).translate(MARKS)).replace("~", " ").split())


# Marks of direction, which chats put around names and numbers.
MARKS = dict.fromkeys([0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
