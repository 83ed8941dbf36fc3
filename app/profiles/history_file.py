"""Reads text, JSONL and JSON files into history items; every error names the file, line and key."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from app.errors import InvalidRequest
from app.profiles.disclosure import Level
from app.profiles.document import MAX_TITLE, ItemIn
from app.profiles.file_errors import MANY, NAME, explained, found
from app.profiles.heading import title_of
from app.profiles.plain_text import NotUtf8, decoded, foreign, unified
from app.profiles.profile import MAX_TEXT, HistoryItem, Kind
from app.profiles.strict_json import JsonMistake, loads

STDIN = "-"
# Of files that are read here; one of any other suffix is read as text.
SUFFIXES = {".txt", ".md", ".jsonl", ".json"}
MARKDOWN = {".md", ".txt", ""}
# Bytes that the longest text can take: 4 per character in UTF-8; in JSON 12, as two escaped surrogates.
MAX_BYTES = 4 * MAX_TEXT
MAX_LINE = 12 * MAX_TEXT + 100_000
MAX_LISTED = 50
# The white space that JSON allows around a value.
BLANKS = " \t\r\n"
SPLIT = "split it, one item for each part"


def read_history(
    paths: Sequence[str],
    stdin: BinaryIO,
    *,
    title: str | None = None,
    kind: Kind | None = None,
    request: str | None = None,
    level: Level | None = None,
) -> list[HistoryItem]:
    """Reads all items of some files, in order; "-" is standard input.

    `kind` and `level` apply to items that name none; `title` replaces a text's own, and `request` is what a
    text answers. Raises InvalidRequest with the number of errors and the first 50 of them.
    """
    defaults = {"kind": kind, "disclosure": level}
    named = {key: value for key, value in defaults.items() if value is not None}
    reading = _Reading(stdin, title, request, named)
    for path in paths:
        reading.add(path)
    reading.raise_mistakes()
    return reading.items


def refusal(mistakes: Sequence[str], count: int) -> InvalidRequest:
    """The error that names the first 50 of so many mistakes."""
    number = f"{count:,} mistake{'s' if count > 1 else ''}"
    shown = mistakes[:MAX_LISTED]
    more = [f"  and {count - len(shown):,} more"] if count > len(shown) else []
    head = f"nothing was stored, there {'are' if count > 1 else 'is'} {number}:"
    return InvalidRequest("\n".join([head, *(f"  {one}" for one in shown), *more]))


def mistakes_of(path: str) -> tuple[list[str], int]:
    """The first 50 mistakes of a text, JSON or JSONL file, by line and key, and how many there are."""
    reading = _Reading(BytesIO(), None, None, {})
    reading.add(path)
    return reading.mistakes, reading.count


class _Reading:
    """Collects items and errors. After the first error items are no longer kept, but still checked."""

    def __init__(
        self, stdin: BinaryIO, title: str | None, request: str | None, defaults: Mapping[str, str]
    ) -> None:
        """`defaults` are keys of items that do not have them."""
        self.items: list[HistoryItem] = []
        self._stdin = stdin
        self._title = title
        self._request = request
        self._defaults = defaults
        self.mistakes: list[str] = []
        self.count = 0

    def add(self, path: str) -> None:
        if path == STDIN:
            self._text(self._stdin, "standard input", "")
        else:
            self._file(path)

    def raise_mistakes(self) -> None:
        if self.count:
            raise refusal(self.mistakes, self.count)

    def _file(self, path: str) -> None:
        origin = _printable(path)
        try:
            with Path(path).open("rb") as stream:
                match Path(path).suffix.lower():
                    case ".jsonl":
                        self._lines(stream, origin)
                    case ".json":
                        self._json(stream, origin)
                    case _:
                        self._text(stream, origin, origin)
        except OSError as error:
            self._wrong(origin, f"cannot be read: {error.strerror}")

    def _text(self, stream: BinaryIO, origin: str, source: str) -> None:
        data = stream.read(MAX_BYTES + 4)
        long = len(data) > MAX_BYTES
        try:
            # Cutting at the limit may split a UTF-8 character, hence errors="ignore".
            text = unified(decoded(data) if not long else data[:MAX_BYTES].decode(errors="ignore"))
        except NotUtf8 as error:
            place = f"{origin}, line {error.line}"
            self._wrong(place, f"{error.found}; save it as plain text with the encoding UTF-8")
            return
        if long or len(text) > MAX_TEXT:
            many = f"more than {MAX_TEXT:,} characters"
            self._wrong(origin, f"the text has {many}; split it into several files")
        elif not text.strip():
            self._wrong(origin, "there is no text in it; leave it out")
        elif "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            self._wrong(f"{origin}, line {line}", "a NUL character; save it as plain text in UTF-8")
        else:
            title = self._title if self._title is not None else _title(text, source)
            answers = {"request": self._request} if self._request is not None else {}
            self._item({"text": text, "title": title, "source": source, **answers}, origin)

    def _lines(self, stream: BinaryIO, origin: str) -> None:
        number = 1
        while line := stream.readline(MAX_LINE):
            place = f"{origin}, line {number}"
            if len(line) == MAX_LINE:
                self._wrong(place, f"text: has more than {MAX_TEXT:,} characters; {SPLIT}")
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_LINE)
                number += 1
                continue
            if number == 1 and (encoding := foreign(line)):
                self._wrong(origin, f"{NotUtf8(1, encoding).found}; save it with the encoding UTF-8")
                return
            # Old Macs end lines with CR alone, so readline returns the whole file as one line.
            for part in line.rstrip(b"\r\n").split(b"\r"):
                if part.strip():
                    place = f"{origin}, line {number}"
                    with suppress(_NoJson):
                        self._item(self._parsed(part, place), place)
                number += 1

    def _json(self, stream: BinaryIO, origin: str) -> None:
        try:
            given = self._parsed(stream.read(), origin, whole=True)
        except _NoJson:
            return
        if isinstance(given, dict) and "history" in given:
            self._wrong(origin, "a whole profile; `costeer profiles import` takes it")
        elif isinstance(given, list):
            for number, one in enumerate(given):
                self._item(one, origin, f"[{number}]")
        else:
            self._item(given, origin)

    def _parsed(self, data: bytes, place: str, *, whole: bool = False) -> object:
        """The JSON value of a `whole` file or of one line. Raises _NoJson after recording an error."""
        try:
            return loads(unified(decoded(data)).rstrip(BLANKS))
        except NotUtf8 as error:
            line = f", line {error.line}" if whole else ""
            self._wrong(f"{place}{line}", f"{error.found}; save it with the encoding UTF-8")
        except JsonMistake as error:
            line = f", line {error.line}" if whole and error.line else ""
            column = f", column {error.column}" if error.column else ""
            advice = "Is the file complete?" if whole else "Each line is one object in braces."
            self._wrong(f"{place}{line}{column}", f"not valid JSON: {error.reason}. {advice}")
        raise _NoJson

    def _item(self, given: object, place: str, key: str = "") -> None:
        """Validates an item; `key` is its position within `place`."""
        if isinstance(given, dict):
            given = {**self._defaults, **given}
        try:
            checked = ItemIn.model_validate(given)
        except ValidationError as error:
            if error.error_count() > MANY:
                self._wrong(place, f"{key or 'the object'}: {error.error_count():,} mistakes. Is it an item?")
                return
            mistakes = error.errors(include_url=False)
        else:
            if not self.count:
                self.items.append(checked.item())
            return
        for one in mistakes:
            name = str(one["loc"][0]) if one["loc"] else ""
            if not name:
                words = f"{found(one)}; expected an object with the keys {', '.join(ItemIn.model_fields)}"
            else:
                words = explained(ItemIn, name, one)
                words += f"; {SPLIT}" if one["type"] == "string_too_long" and name == "text" else ""
            shown = name if len(name) <= NAME else f"{name[:NAME]}..."
            path = f"{key}.{shown}" if key and name else key or shown
            self._wrong(place, f"{path}: {words}" if path else words)

    def _wrong(self, place: str, words: str) -> None:
        self.items.clear()
        self.count += 1
        if len(self.mistakes) < MAX_LISTED:
            self.mistakes.append(f"{place}: {words}")


class _NoJson(Exception):
    """Invalid JSON; the error is recorded already."""


def _title(text: str, source: str) -> str:
    """The title in a Markdown text, else the file's name without its suffix."""
    markdown = not source or Path(source).suffix.lower() in MARKDOWN
    return ((title_of(text) if markdown else "") or Path(source).stem)[:MAX_TITLE]


def _printable(path: str) -> str:
    """A file's name for messages; its bytes need not be valid UTF-8."""
    return os.fsencode(path).decode(errors="replace")
