"""Reads a text or Markdown file, in UTF-8 or in UTF-16, as an item.

A file in an encoding that does not say what it is (Windows-1252, Mac Roman) is refused: guessed wrongly, it
would teach the small model another spelling.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.profiles.heading import title_of
from app.profiles.history_file import MARKDOWN, MAX_BYTES
from app.profiles.plain_text import MARKS, NotUtf8, decoded, foreign, unified
from app.sources.documents.document import TOO_LONG, document
from app.sources.documents.markdown import note_of
from app.sources.documents.written_date import written_date
from app.sources.found import Found, LeftOut, Person
from app.sources.refusal import Refused, refusing

NO_UTF8 = "not UTF-8 text; save it with the encoding UTF-8"
NOTES = {".md", ".markdown"}


@refusing
def read(path: Path, _: Person) -> Iterator[Found | LeftOut]:
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 4)
    if len(data) > MAX_BYTES:
        yield TOO_LONG
        return
    text = unified(_decoded(data))
    if "\0" in text:
        raise Refused("a NUL character, so no text; save it as plain text in UTF-8")
    # Daily notes are called by their day.
    day = written_date(path.stem)
    suffix = path.suffix.lower()
    if suffix not in NOTES:
        title = title_of(text) if suffix in MARKDOWN else ""
        yield document(path, text, title=title or path.stem, created_at=day)
        return
    note = note_of(text)
    if note.drawn:
        yield LeftOut("a drawing")
    elif note.points_only:
        yield LeftOut("nothing but links, tags and headings")
    else:
        yield document(path, note.text, title=note.title or path.stem, created_at=note.created_at or day)


def _decoded(data: bytes) -> str:
    """Raises Refused."""
    try:
        if encoding := foreign(data):
            return data.decode(_named(data, encoding))
        return decoded(data)
    except (NotUtf8, UnicodeDecodeError):
        pass
    # Raised outside the handler: a traceback must not chain to an error that holds the text.
    raise Refused(NO_UTF8)


def _named(data: bytes, encoding: str) -> str:
    """Python's name of UTF-16 or UTF-32; without a byte order mark the zero bytes tell the order."""
    if any(data.startswith(mark) for mark in MARKS):
        return encoding
    return "utf-16-be" if data[0] == 0 else "utf-16-le"
