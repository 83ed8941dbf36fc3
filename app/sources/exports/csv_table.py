"""Reads tables of texts, CSV and TSV as spreadsheets and programs write them: one row, one text."""

from __future__ import annotations

import csv
import io
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.profiles.folding import folded
from app.profiles.profile import MAX_REQUEST, MAX_TEXT, HistoryItem
from app.sources.exports.archive import encoding_of
from app.sources.exports.cleaning import cleaned, title_line
from app.sources.exports.messenger import known, named
from app.sources.exports.parts import Parts, digest
from app.sources.exports.times import of_epoch, of_iso
from app.sources.found import Found, LeftOut, Person

SUFFIXES = {".csv", ".tsv", ".tab"}
DELIMITERS = (",", ";", "\t", "|")
# What the first line may call a column, folded and without blanks, hyphens and underscores.
TEXT = ("text", "body", "content", "message")
TITLE = ("title", "subject")
REQUEST = ("request", "prompt", "question")
DATE = ("date", "createdat", "created", "time", "timestamp", "datetime")
WRITER = ("author", "sender", "from")
MAX_COLUMNS = 1000
# Characters of a row, which has several lines where a field has line ends.
MAX_ROW = 4 * MAX_TEXT

NO_TEXT = (
    "a table without a column of texts; call one text, body, content or message in the first line. Others "
    "may be title or subject, request, prompt or question, date or created_at, and author, sender or from"
)
NO_NAME = 'a table with a column of who wrote what; say --me "NAME", as the table writes your name'
BLANK = "a row without text"
OTHERS = "a row of somebody else"
LONG = (
    f"a field of more than {MAX_TEXT:,} characters: perhaps a quotation mark is not closed. "
    "Nothing is read behind it"
)


def looks_like(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def read(path: Path, person: Person) -> Iterator[Found | LeftOut]:
    """A document for each row with text. Where a column says who wrote a row, only the person's are read.
    Raises OSError."""
    with path.open("rb") as stream:
        text = io.TextIOWrapper(stream, encoding=_encoding(stream), errors="replace", newline="")
        try:
            yield from _rows(_Lines(text), path, person)
        except (_TooLong, csv.Error):
            yield LeftOut(LONG, broken=True)


class _TooLong(Exception):
    """A row is longer than one may be."""


def _encoding(stream: io.BufferedReader) -> str:
    """That of the mark at the beginning; else UTF-8 if all of the file is that, else Windows' old one, in
    which spreadsheets save in Western Europe and America."""
    encoding = encoding_of(stream)
    if encoding != "utf-8-sig":
        return encoding
    decoder = getincrementaldecoder("utf-8")()
    try:
        while part := stream.read(2**16):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        encoding = "cp1252"
    stream.seek(0)
    return encoding


class _Lines:
    """The lines of a table, while each row has at most MAX_ROW characters; `ended` says that one ends."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW)
        self._size += len(line)
        if self._size >= MAX_ROW:
            raise _TooLong
        if not line:
            raise StopIteration
        return line.replace("\0", "")

    def ended(self) -> None:
        self._size = 0


@dataclass(frozen=True, slots=True)
class _Columns:
    """The numbers of the columns that are read; None for one that is not there."""

    text: int
    title: int | None
    request: int | None
    date: int | None
    writer: int | None


def _rows(lines: _Lines, path: Path, person: Person) -> Iterator[Found | LeftOut]:
    head = next(lines, "")
    delimiter = ""
    if head.strip().lower().startswith("sep=") and len(head.strip("\r\n")) == 5:  # Excel's own line
        delimiter, head = head[4], next(lines, "")
    # The module's own limit, 131,072 characters, is less than an item may have. It holds for the process.
    csv.field_size_limit(MAX_TEXT)
    header, delimiter = _header(head, delimiter or ("\t" if path.suffix.lower() != ".csv" else ""))
    columns = _columns(header)
    if columns is None:
        yield LeftOut(NO_TEXT if head.strip() else "an empty table", broken=bool(head.strip()))
        return
    writers = {one.strip().casefold() for one in person.addresses} | known(person)
    if columns.writer is not None and not writers:
        yield LeftOut(NO_NAME, broken=True, who=True)
        return
    parts = Parts(path)
    passed: Counter[str] = Counter()
    for row in csv.reader(lines, delimiter=delimiter):
        lines.ended()
        if not any(row):
            continue
        if columns.writer is not None and not _mine(_cell(row, columns.writer), writers):
            passed[OTHERS] += 1
        elif item := _item(row, columns):
            yield parts.found(item, digest(item.title, item.request, item.text))
        else:
            passed[BLANK] += 1
    yield from (LeftOut(reason, count) for reason, count in passed.items())


def _header(line: str, delimiter: str) -> tuple[list[str], str]:
    """The names of the columns and what parts them: the delimiter by which there is a column of texts."""
    choices = [delimiter] if delimiter else DELIMITERS
    headers = [(next(csv.reader([line], delimiter=one), []), one) for one in choices]
    for names, one in headers:
        if _columns(names):
            return names, one
    return headers[0]


def _columns(header: Sequence[str]) -> _Columns | None:
    places: dict[str, int] = {}
    for number, name in enumerate(header[:MAX_COLUMNS]):
        plain = folded(name[:100]).translate(dict.fromkeys(map(ord, " _-\ufeff"))).strip()
        places.setdefault(plain, number)

    def place(names: Sequence[str]) -> int | None:
        return next((places[name] for name in names if name in places), None)

    text = place(TEXT)
    if text is None:
        return None
    return _Columns(text, place(TITLE), place(REQUEST), place(DATE), place(WRITER))


def _item(row: Sequence[str], columns: _Columns) -> HistoryItem | None:
    text = cleaned(_cell(row, columns.text))
    if not text:
        return None
    date = _cell(row, columns.date).strip()
    return HistoryItem(
        title_line(_cell(row, columns.title)),
        text,
        created_at=of_epoch(date) or of_iso(date),
        request=cleaned(_cell(row, columns.request))[:MAX_REQUEST],
    )


def _cell(row: Sequence[str], number: int | None) -> str:
    return row[number] if number is not None and number < len(row) else ""


def _mine(writer: str, writers: set[str] | frozenset[str]) -> bool:
    """By name, by address, or by both as mail writes them: Anna Ek <anna@ek.example>. Where the person's
    addresses are known, that decides: somebody else may have their name."""
    name, _, address = writer[:1000].partition("<")
    if "@" in address and any("@" in one for one in writers):
        return address.strip(" >").casefold() in writers
    candidates = {named(writer), named(name.strip(' "')), writer.strip().casefold()[:1000]}
    return not writers.isdisjoint(candidates | {address.strip(" >").casefold()})
