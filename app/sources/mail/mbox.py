"""Reads an mbox (RFC 4155, and what programs make of it) as a stream: one mail at a time is in memory.

Python's mailbox.mbox reads a file twice, once for a table of where its mails are, and takes any line that
begins with "From " for the beginning of one. Here the file is read once, the headers of a mail decide whether
its body is kept at all, and a mail begins where such a line has a date and a header stands below it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from email.parser import BytesHeaderParser
from pathlib import Path

from app.sources.found import Found, LeftOut, Person
from app.sources.mail.mail import LARGE, MAX_MAIL, UNKNOWN, judged, sent
from app.sources.refusal import DAMAGED

# Bytes of a line that are read at once, and of a mail's headers.
MAX_LINE = 2**16
MAX_HEAD = 2**20
# Thunderbird writes "From - ", Gmail's and Groups' exports the zone before the year, others no weekday.
SEPARATOR = re.compile(rb"From (?:- |-?\s*$|.{0,300}\d{1,2}:\d\d)")
HEADER = re.compile(rb"[!-9;-~]{1,100}[ \t]*:")
# A line of the text that would begin a mail has a > before it, and one more where it had some.
ESCAPED = re.compile(rb">+From ")
DAMAGE = LeftOut(DAMAGED, broken=True)
AGAIN = LeftOut("the same mail again")


def read(path: Path, person: Person) -> Iterator[Found | LeftOut]:
    """The mails that the person sent, in order, then what is left out, counted by reason."""
    if not person.addresses:
        yield UNKNOWN
        return
    left: Counter[LeftOut] = Counter()
    seen: set[str] = set()
    with path.open("rb") as stream:
        splitter = _Splitter(lambda head: _judged(head, person))
        for mail in splitter.mails(iter(lambda: stream.readline(MAX_LINE), b"")):
            one = mail if isinstance(mail, LeftOut) else sent(mail, path, person)
            if isinstance(one, LeftOut):
                left[one] += 1
            elif one.part in seen:
                left[AGAIN] += 1
            else:
                seen.add(one.part)
                yield one
    for one, count in left.items():
        yield LeftOut(one.reason, count, one.broken)
    if not seen and not left:
        yield LeftOut("no mail in it", broken=True)


def looks_like(path: Path) -> bool:
    with path.open("rb") as stream:
        first, second = stream.readline(MAX_LINE), stream.readline(MAX_LINE)
    return SEPARATOR.match(first) is not None and HEADER.match(second) is not None


def _judged(head: bytes, person: Person) -> LeftOut | None:
    try:
        return judged(BytesHeaderParser().parsebytes(head), person)
    except Exception:  # whatever the parser comes upon
        return DAMAGE


class _Splitter:
    """Parts the lines of an mbox into mails, and drops those that their headers leave out as they come."""

    def __init__(self, judge: Callable[[bytes], LeftOut | None]) -> None:
        self._judge = judge
        self._mail: bytearray | None = None  # None while what comes belongs to no mail that is kept
        self._in_head = False
        self._left: LeftOut | None = None

    def mails(self, lines: Iterator[bytes]) -> Iterator[bytes | LeftOut]:
        """`lines` may be pieces of lines that are very long."""
        held = b""  # a line that begins a mail if a header follows
        begins = True
        for line in lines:
            if held:
                if HEADER.match(line):
                    yield from self._finished()
                    self._mail, self._in_head = bytearray(), True
                else:
                    self._add(held)
                held = b""
            if begins and SEPARATOR.match(line):
                held = line
            else:
                self._add(line[1:] if begins and ESCAPED.match(line) else line)
            begins = line.endswith(b"\n")
            if self._left is not None:
                yield self._left
                self._left = None
        yield from self._finished()

    def _add(self, line: bytes) -> None:
        if self._mail is None:
            return
        self._mail += line
        if self._in_head and line in {b"\n", b"\r\n"}:
            self._in_head = False
            self._left = self._judge(bytes(self._mail))
        elif self._in_head and len(self._mail) > MAX_HEAD:
            self._left = DAMAGE
        elif len(self._mail) > MAX_MAIL:
            self._left = LeftOut(LARGE, broken=True)
        if self._left is not None:
            self._mail = None

    def _finished(self) -> Iterator[bytes]:
        if self._mail:
            yield bytes(self._mail)
        self._mail = None
