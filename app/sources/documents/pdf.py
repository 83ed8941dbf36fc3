"""Reads the text of a PDF (ISO 32000) by pypdf, page by page.

Lines stay as they are set, but for words that a line's end hyphenates, page numbers, and what stands at the
top or the bottom of most pages.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pypdf import PageObject, PasswordType, PdfReader
from pypdf.errors import DependencyError

from app.profiles.profile import MAX_TEXT
from app.sources.documents.document import TOO_LONG, document
from app.sources.documents.given_title import given_title
from app.sources.found import Found, LeftOut, Person
from app.sources.refusal import Refused, refusing

MAX_PAGES = 3000
# Bytes of a page's drawing, and operations of all: a page of text has some thousand, a map has millions.
MAX_DRAWING = 4 * 2**20
MAX_OPERATIONS = 3_000_000
# Bytes of all pages' drawings that are read, since numbers alone are no operations; and pages that are left
# out, each of which is unpacked to see that: a file of some kilobytes can unpack to hours of work.
MAX_DRAWN = 32 * 2**20
MAX_LEFT_OUT = 300
PROTECTED = "protected by a password; save it without"
LIGATURES = str.maketrans(dict(zip("ﬀﬁﬂﬃﬄﬅﬆ", ["ff", "fi", "fl", "ffi", "ffl", "st", "st"], strict=True)))
HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\xad\u2010][ \t]*\n[ \t]*([^\W\d_])")
DIGITS = re.compile(r"\d+")
NUMBER = re.compile(
    r"\W*(?:page|seite|página|pagina|sida|side|strona|p\.|s\.)?\s*\d{1,4}\s*"
    r"(?:(?:/|\||of|von|de|sur|di|van|av|af|z)\s*\d{1,4})?\W*",
    re.IGNORECASE,
)
# Characters of a line that is a page's number.
MAX_NUMBER = 40
# So many pages tell what stands on each of them.
FEW = 3


@refusing
def read(path: Path, _: Person) -> Iterator[Found | LeftOut]:
    with path.open("rb") as stream, _quiet():
        reader = PdfReader(stream)
        if reader.is_encrypted:
            _unlock(reader)
        pages = list(_pages(reader))
        title, created = _described(reader)
    text = _mended(_without_furniture([lines for lines in pages if lines is not None]))
    if drawings := pages.count(None):
        yield LeftOut("a page that is a drawing", drawings)
    if not text.strip():
        raise Refused("a PDF without text; it may be scanned: recognise its text (OCR) first", broken=False)
    yield document(path, text, title=title or path.stem, created_at=created)


def _unlock(reader: PdfReader) -> None:
    """Opens what anybody may read and has a password for changes only."""
    try:
        if reader.decrypt("") != PasswordType.NOT_DECRYPTED:
            return
    except DependencyError:
        pass
    raise Refused(PROTECTED)


def _pages(reader: PdfReader) -> Iterator[list[str] | None]:
    """Each page's lines that are not blank; None for a drawing. Raises Refused beyond a bound of work, so
    that the answer is the same on every machine."""
    if len(reader.pages) > MAX_PAGES:
        raise Refused(f"more than {MAX_PAGES:,} pages; split it")
    operations = size = drawn = left_out = 0

    def counted(*_: Any) -> None:
        nonlocal operations
        operations += 1
        if operations > MAX_OPERATIONS or drawn > MAX_DRAWN or left_out > MAX_LEFT_OUT:
            raise Refused("too much is drawn in it")

    for page in reader.pages:
        if (drawing := _drawing(page)) > MAX_DRAWING:
            left_out += 1
            counted()
            yield None
            continue
        drawn += drawing
        counted()
        text = page.extract_text(visitor_operand_before=counted)
        counted()  # pypdf goes on without a part of a page that fails
        size += len(text)
        if size > 2 * MAX_TEXT:
            raise Refused(TOO_LONG.reason)
        yield [line.rstrip() for line in text.translate(LIGATURES).split("\n") if line.strip()]


def _drawing(page: PageObject) -> int:
    """Bytes of a page's drawing."""
    contents = page.get_contents()
    return 0 if contents is None else len(contents.get_data())


def _described(reader: PdfReader) -> tuple[str, datetime | None]:
    """Title and date of the document's properties, which may be damaged where its text is not."""
    title, created = "", None
    with suppress(Exception):
        title = given_title(str((reader.metadata and reader.metadata.title) or ""))
    with suppress(Exception):
        created = reader.metadata.creation_date if reader.metadata else None
    return title, created


def _without_furniture(pages: Sequence[list[str]]) -> list[list[str]]:
    """The pages without their numbers, and without a first or last line that most of them share."""
    if len(pages) == 1:
        return list(pages)
    common = {
        end: Counter(DIGITS.sub("#", lines[end].strip()) for lines in pages if lines) for end in (0, -1)
    }
    kept = []
    for page in pages:
        lines = list(page)
        for end in (0, -1):
            while lines and _furniture(lines[end], common[end], len(pages)):
                lines.pop(end)
        kept.append(lines)
    return kept


def _furniture(line: str, common: Counter[str], pages: int) -> bool:
    shared = common[DIGITS.sub("#", line.strip())]
    numbered = len(line) <= MAX_NUMBER and NUMBER.fullmatch(line) is not None
    return numbered or (shared >= FEW and 2 * shared > pages)


def _mended(pages: Sequence[list[str]]) -> str:
    """One text; a page that ends within a sentence goes on with the next."""
    parts: list[str] = []
    for lines in pages:
        if parts and lines:
            parts.append("\n\n" if parts[-1].rstrip().endswith((".", "!", "?", ":", '"', "”", "»")) else "\n")
        if lines:
            parts.append("\n".join(lines))
    return HYPHENATED.sub(_joined, "".join(parts))


def _joined(found: re.Match[str]) -> str:
    """`hyphen-` and `ated` are one word; before a capital it is the hyphen of a compound."""
    return found[1] if found[1].islower() else f"-{found[1]}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pypdf's warnings, which quote the file."""
    log = logging.getLogger("pypdf")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)
