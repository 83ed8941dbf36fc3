"""A text that was read becomes an item of a history, or is left out since it is empty or too long."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from app.profiles.document import MAX_TITLE
from app.profiles.plain_text import unified
from app.profiles.profile import MAX_TEXT, HistoryItem
from app.sources.found import Found, LeftOut

NO_TEXT = LeftOut("there is no text in it")
TOO_LONG = LeftOut(f"a text of more than {MAX_TEXT:,} characters; split it into several", broken=True)
# Page breaks end a line; no other control character says anything.
BREAKS = re.compile("[\v\f]")
CONTROLS = re.compile("[\0-\x08\x0e-\x1f\x7f\ufeff]")
GAPS = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
SURROGATES = re.compile("[\ud800-\udfff]")
# A date before people's computers had clocks is what programs write who know none: 1601, 1899, 1904, 1970.
FIRST_YEAR = 1971


def document(
    path: Path,
    text: str,
    *,
    title: str | None = None,
    created_at: datetime | None = None,
    part: str = "",
) -> Found | LeftOut:
    """The text as the person's document; its title is the file's name unless there is another, or "".

    `created_at` without a zone counts as UTC.
    """
    text = tidy(text)
    if not text:
        return NO_TEXT
    if len(text) > MAX_TEXT:
        return TOO_LONG
    name = path.stem if title is None else title
    item = HistoryItem(one_line(name), text, source=source_of(path), created_at=in_utc(created_at))
    return Found(item, part)


def tidy(text: str) -> str:
    """The text with line feeds alone, without control characters, halves of characters and wide gaps."""
    text = CONTROLS.sub("", BREAKS.sub("\n", unified(text)))
    return GAPS.sub("\n\n", SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)).strip()


def one_line(title: str) -> str:
    """A title as an item takes it."""
    return " ".join(SURROGATES.sub("", CONTROLS.sub("", title)).split())[:MAX_TITLE]


def source_of(path: Path) -> str:
    """A file's name as an item's source; its bytes need not be valid UTF-8. Of a long one the end."""
    return os.fsencode(path).decode(errors="replace")[-MAX_TITLE:]


def in_utc(moment: datetime | None) -> datetime | None:
    """The moment in UTC; None where it cannot be when somebody wrote."""
    if moment is None or not FIRST_YEAR <= moment.year < datetime.max.year:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
