"""Reads a chat that WhatsApp exported: _chat.txt of iOS, WhatsApp Chat with NAME.txt of Android, or its zip.

The file is read twice: first who writes in it and in which order it writes dates, then the lines.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.profiles.profile import MAX_TEXT
from app.sources.exports.archive import Damaged, beginning, encoding_of, names, opened, packed
from app.sources.exports.messenger import NO_NAME, Line, conversations, known, named
from app.sources.exports.parts import Parts
from app.sources.exports.whatsapp_stamp import Evidence, Stamp, stamp
from app.sources.exports.whatsapp_words import MARK, own_words
from app.sources.found import Found, LeftOut, Person

TITLE = "WhatsApp chat"
# Characters that are read of a line at once, and those that a name may have.
PIECE = 2**16
MAX_NAME = 200
MAX_NAMES = 10_000
NAME = re.compile(rf"([^\n]{{1,{MAX_NAME}}}?):(?=\s|$)")

NO_CHAT = "no chat of WhatsApp; export it again, without media"
OTHERS = "a message of somebody else"
SYSTEM = "an event of a chat, such as who joined it"
MEDIA = "a picture, recording, link or deleted message without words"


def looks_like(path: Path) -> bool:
    """Whether two messages stand at the beginning of the text, or one in a file that WhatsApp named."""
    if packed(path):
        return bool(names(path, wanted))
    if path.suffix.lower() != ".txt":
        return False
    head = beginning(path, wanted).decode(errors="replace").splitlines()[:100]
    found = [one for line in head if (one := stamp(line)) and ":" in line[one.end : one.end + MAX_NAME]]
    return len([one for one in found if one.form == found[0].form]) >= (1 if wanted(path.name) else 2)


def wanted(name: str) -> bool:
    """Every language has the word in the name: Chat de WhatsApp con NAME.txt, WhatsApp-Chat mit NAME.txt."""
    plain = name.casefold()
    return plain.endswith(".txt") and ("whatsapp" in plain or plain.startswith("_chat"))


def read(path: Path, person: Person) -> Iterator[Found | LeftOut]:
    """The person's own messages, conversation by conversation. Times are of this machine's clock, since the
    export names no zone. Raises OSError."""
    people = _People(known(person))
    parts = Parts(path)
    try:
        for (_, first), (_, again) in zip(opened(path, wanted), opened(path, wanted), strict=True):
            survey = _Survey(people)
            for entry in _entries(first):
                survey.add(entry)
            if not survey.messages:
                yield LeftOut(NO_CHAT, broken=True)
            elif not survey.mine:
                reason = f"a chat: none of the {len(survey.senders):,} names in it is yours; {NO_NAME}"
                yield LeftOut(reason, broken=True, who=True)
            else:
                yield from _chat(again, survey, parts)
    except Damaged as error:
        yield LeftOut(error.reason, broken=True)


@dataclass(slots=True, repr=False)
class _Entry:
    """A message with its lines, or an event."""

    stamp: Stamp
    text: str


class _People:
    """The person's names, and every name of a chat as it is compared, worked out once."""

    def __init__(self, mine: frozenset[str]) -> None:
        self.mine = mine
        # A name may hold colons. The first that makes a name of the person's ends it.
        self._colons = 1 + max((name.count(":") for name in mine), default=0)
        self._plain: dict[str, str] = {}

    def said(self, text: str) -> tuple[str, str] | None:
        """Who wrote a message, as names are compared, and what; None for an event."""
        head = text[:MAX_NAME]
        at = -1
        for _ in range(self._colons):
            at = head.find(":", at + 1)
            if at > 0 and self.plain(head[:at]) in self.mine:
                return self.plain(head[:at]), text[at + 1 :]
        # "Name: text", in Korean "Name : text"; a time in the text of an event is no name.
        found = NAME.match(text)
        return (self.plain(found[1]), text[found.end() :]) if found else None

    def plain(self, name: str) -> str:
        if name not in self._plain:
            if len(self._plain) >= MAX_NAMES:
                self._plain.clear()
            self._plain[name] = named(name)
        return self._plain[name]


def _entries(stream: io.BufferedReader) -> Iterator[_Entry]:
    """The messages; a line that does not begin as the file's first message does belongs to the one before.
    What is longer than an item may be is cut there, and then left out as too long."""
    text = io.TextIOWrapper(stream, encoding=encoding_of(stream), errors="replace")
    form: tuple[str, ...] | None = None
    current: Stamp | None = None
    lines: list[str] = []
    size = 0
    begins = True
    while piece := text.readline(PIECE):
        found = stamp(piece) if begins else None
        if found and form in (None, found.form):
            if current:
                yield _Entry(current, "".join(lines))
            form, current, lines, size = found.form, found, [], 0
            piece = piece[found.end :]
        if size <= MAX_TEXT:
            lines.append(piece)
            size += len(piece)
        begins = piece.endswith("\n")
    if current:
        yield _Entry(current, "".join(lines))
    text.detach()


@dataclass(slots=True, repr=False)
class _Survey:
    """Who writes in a chat, and how it writes dates."""

    people: _People
    messages: int = 0
    mine: int = 0
    senders: set[str] = field(default_factory=set)
    evidence: Evidence = field(default_factory=Evidence)

    def add(self, entry: _Entry) -> None:
        self.messages += 1
        self.evidence.add(entry.stamp)
        if said := self.people.said(entry.text):
            name, text = said
            self.mine += name in self.people.mine
            # As "name" iOS has the group's for what WhatsApp says in it.
            if len(self.senders) < MAX_NAMES and not text.lstrip(" ").startswith(MARK):
                self.senders.add(name)


def _chat(stream: io.BufferedReader, survey: _Survey, parts: Parts) -> Iterator[Found | LeftOut]:
    passed: Counter[str] = Counter()
    order = survey.evidence.order

    def lines() -> Iterator[Line]:
        for entry in _entries(stream):
            said = survey.people.said(entry.text)
            if said is None:
                passed[SYSTEM] += 1
                continue
            mine = said[0] in survey.people.mine
            words = own_words(said[1].removeprefix(" "), marked=entry.stamp.marked)
            if not mine:
                passed[OTHERS] += 1
            elif not words:
                passed[MEDIA] += 1
            if words:
                yield Line(mine, entry.stamp.key, words, entry.stamp.time(order))

    yield from conversations(lines(), TITLE, parts)
    yield from (LeftOut(reason, count) for reason, count in passed.items())
