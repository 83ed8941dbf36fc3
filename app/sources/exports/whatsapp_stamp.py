"""The date and time in front of a WhatsApp message, in the many ways in which phones write them.

An export is written as the phone writes dates: [31.12.23, 23:59:59] on iOS, 12/31/23, 11:59 PM - on Android,
with marks of direction and narrow blanks, digits of other scripts, words for morning and evening. Which
number is the day nothing says but the numbers themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.sources.exports.times import local

Order = Literal["dmy", "mdy", "ymd"]
ORDERS: tuple[Order, ...] = ("dmy", "mdy", "ymd")

SPACE = "[ \\t\u00a0\u2009\u202f]"
MARK = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
GAP = f"(?:{SPACE}|{MARK}){{0,3}}"
# Each part is bounded, so a line is looked at for a bounded time.
STAMP = re.compile(
    rf"(?P<mark>{MARK}{{0,4}})(?P<open>\[?){GAP}"
    rf"(?P<a>\d{{1,4}}){GAP}(?P<sep>[-/.年년]){GAP}(?P<b>\d{{1,2}}){GAP}(?P<sep2>[-/.月월]){GAP}(?P<c>\d{{1,4}})"
    rf"(?P<before>[^\d\[\]\n]{{1,20}}?)"
    rf"(?P<hour>\d{{1,2}})(?P<colon>[:.])(?P<minute>\d{{2}})(?:[:.](?P<second>\d{{2}}))?"
    rf"(?P<after>[^\d\[\]:\n]{{0,16}}?)"
    rf"(?P<end>\]{GAP}|{SPACE}[-\u2013]{SPACE}|:{SPACE}|(?<=\d),{SPACE})"
)
NO_LETTER = re.compile(r"[\W\d_]+")


def _letters(words: str) -> str:
    return NO_LETTER.sub("", words.casefold())


# Words for before and after noon, of which a few mean something else where no time stands beside them.
BEFORE_NOON = frozenset(
    _letters(word)
    for word in (
        *("am", "vm", "π.μ.", "ص", "öö", "sa", "de", "pg", "dop", "fm", "ap", "पूर्वाह्न", "ก่อนเที่ยง"),
        *("上午", "凌晨", "早上", "清晨", "午前", "오전", "дп"),
    )
)
AFTER_NOON = frozenset(
    _letters(word)
    for word in (
        *("pm", "nm", "μ.μ.", "م", "ös", "ch", "du", "ptg", "odp", "em", "ip", "अपराह्न", "หลังเที่ยง"),
        *("下午", "中午", "晚上", "午後", "오후", "пп"),
    )
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """The numbers as they stand: `end` is where the message begins, `form` how this phone writes a stamp, and
    `marked` whether WhatsApp wrote a mark of direction in front, as iOS does for media."""

    numbers: tuple[int, int, int]
    clock: tuple[int, int, int]
    form: tuple[str, ...]
    key: str
    end: int
    marked: bool
    american: bool

    def time(self, order: Order) -> datetime | None:
        """In UTC, from this machine's clock; None for what is no date, or of another calendar than the
        Gregorian or the Thai one."""
        year, month, day = _dated(self.numbers, order)
        try:
            return local(datetime(year, month, day, *self.clock)) if year >= 2009 else None
        except ValueError:
            return None


def stamp(line: str) -> Stamp | None:
    """The stamp that a line begins with, if it does."""
    found = STAMP.match(line)
    if found is None or (found["open"] == "[") != (found["end"][0] == "]"):
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    noon = _noon(found["before"]) or _noon(found["after"])
    if noon == "pm" and hour < 12:
        hour += 12
    elif noon == "am" and hour == 12:
        hour = 0
    numbers = (int(found["a"]), int(found["b"]), int(found["c"]))
    end = found["end"].strip()[:1]
    if end == "," and found["sep"] not in "年년":  # written so in Korean alone
        return None
    return Stamp(
        numbers=numbers,
        clock=(hour, minute, second),
        form=(*found.group("open", "sep", "sep2", "colon"), "s" if found["second"] else "", end),
        key="-".join(map(str, numbers)) + f" {hour:02}:{minute:02}:{second:02}",
        end=found.end(),
        marked="\u200e" in found["mark"],
        american=bool(noon) and found["sep"] == "/" and len(found["a"]) + len(found["b"]) < 4,
    )


def _noon(words: str) -> str:
    # 2023年12月31日下午 has no blank between the day and the half of the day.
    letters = _letters(words).removeprefix("日").removeprefix("일")
    return "am" if letters in BEFORE_NOON else "pm" if letters in AFTER_NOON else ""


def _dated(numbers: tuple[int, int, int], order: Order) -> tuple[int, int, int]:
    """Year, month, day."""
    a, b, c = numbers
    year, month, day = {"dmy": (c, b, a), "mdy": (c, a, b), "ymd": (a, b, c)}[order]
    year += 2000 if year < 100 else 0
    return year - 543 if 2400 < year < 2700 else year, month, day


@dataclass(slots=True)
class Evidence:
    """What the dates of a file say about their order: none may be impossible, and a chat runs forward."""

    _wrong: dict[Order, int] = field(default_factory=lambda: dict.fromkeys(ORDERS, 0))
    _first: tuple[int, int, int] | None = None
    _last: tuple[int, int, int] | None = None
    _american: bool = False

    def add(self, found: Stamp) -> None:
        self._american = self._american or found.american
        if found.numbers == self._last:
            return
        for order in ORDERS:
            year, month, day = _dated(found.numbers, order)
            possible = year >= 2009 and 1 <= month <= 12 and 1 <= day <= 31
            backward = self._last is not None and _dated(self._last, order) > (year, month, day)
            # One impossible date outweighs all that seem to run backward, as those of an edited file may.
            self._wrong[order] += 0 if possible and not backward else 1 if possible else 10**9
        self._first = self._first or found.numbers
        self._last = found.numbers

    @property
    def order(self) -> Order:
        """The order with the fewest contradictions; of several, that by which the chat is the shortest, since
        it is the day that changes most. A single date says neither: its day comes first, as in most of the
        world, unless its numbers are written as in the United States: 1/4/23, 7:02 PM."""
        orders: tuple[Order, ...] = ("mdy", "dmy", "ymd") if self._american else ORDERS
        return min(orders, key=lambda order: (self._wrong[order], self._span(order)))

    def _span(self, order: Order) -> int:
        """About how many days lie between the first date and the last."""
        if self._first is None or self._last is None:
            return 0
        begin, end = (
            372 * year + 31 * month + day
            for year, month, day in (_dated(self._first, order), _dated(self._last, order))
        )
        return abs(end - begin)
