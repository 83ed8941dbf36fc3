"""Reads files into items of a history: text, JSONL and JSON; every mistake is named by file, line and key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from app.errors import InvalidRequest
from app.mistakes import explained, found
from app.profile import MAX_TEXT, HistoryItem, Kind
from app.schemas.history import ItemIn
from app.strict_json import JsonMistake, loads

STDIN = "-"
# What a folder is searched for; a file that is named may have any other ending, and is text then.
SUFFIXES = {".txt", ".md", ".jsonl", ".json"}
MARKDOWN = {".md", ".txt", ""}
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
FENCED = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
MAX_TITLE = 1000
# Bytes that the longest text can take: 4 for a character, or 6 each for the halves of one that is escaped.
MAX_BYTES = 4 * MAX_TEXT
MAX_LINE = 12 * MAX_TEXT + 100_000
MAX_LISTED = 50
SPLIT = "split it, one item for each part"


def read_history(
    paths: Sequence[str], stdin: BinaryIO, *, title: str | None = None, kind: Kind | None = None
) -> list[HistoryItem]:
    """All items in the files, in order; "-" is standard input, and folders are read with all that is in them.

    `kind` is of those that name none themselves, `title` of a text instead of its first heading. Raises
    InvalidRequest with all mistakes, the first 50 in words.
    """
    reading = _Reading(stdin, title, kind)
    for path in paths:
        reading.add(path)
    reading.raise_mistakes()
    return reading.items


class _Reading:
    """What has been read so far. With the first mistake items are no longer kept, but still checked."""

    def __init__(self, stdin: BinaryIO, title: str | None, kind: Kind | None) -> None:
        self.items: list[HistoryItem] = []
        self._stdin = stdin
        self._title = title
        self._kind = kind
        self._mistakes: list[str] = []
        self._count = 0

    def add(self, path: str) -> None:
        if path == STDIN:
            self._text(self._stdin, "standard input", "")
        elif Path(path).is_dir():
            names = list(self._walk(Path(path)))
            if not names:
                self._wrong(path, f"this folder holds no file that ends in {', '.join(sorted(SUFFIXES))}")
            for name in names:
                self._file(name)
        else:
            self._file(path)

    def raise_mistakes(self) -> None:
        if self._count:
            number = f"{self._count:,} mistake{'s' if self._count > 1 else ''}"
            more = [f"  and {self._count - MAX_LISTED:,} more"] if self._count > MAX_LISTED else []
            head = f"nothing was stored, there {'are' if self._count > 1 else 'is'} {number}:"
            raise InvalidRequest("\n".join([head, *(f"  {one}" for one in self._mistakes), *more]))

    def _walk(self, folder: Path) -> Iterator[str]:
        """Files by name; hidden ones are left out, and links to folders not followed."""

        def unreadable(error: OSError) -> None:
            self._wrong(str(error.filename), f"cannot be read: {error.strerror}")

        for root, folders, files in os.walk(folder, onerror=unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                    yield str(Path(root, name))

    def _file(self, path: str) -> None:
        # What a file's name is in bytes need not be text.
        origin = os.fsencode(path).decode(errors="replace")
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
        try:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            if len(data) <= MAX_BYTES or error.end < MAX_BYTES:  # no character that the limit cuts
                line = data.count(b"\n", 0, error.start) + 1
                place = f"{origin}, line {line}"
                self._wrong(place, "not UTF-8 text; save it as plain text with the encoding UTF-8")
                return
            text = data[: error.start].decode("utf-8-sig")
        if len(data) > MAX_BYTES or len(text) > MAX_TEXT:
            many = f"more than {MAX_TEXT:,} characters"
            self._wrong(origin, f"the text has {many}; split it into several files")
        elif not text.strip():
            self._wrong(origin, "there is no text in it; leave it out")
        elif "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            self._wrong(f"{origin}, line {line}", "a NUL character; save it as plain text in UTF-8")
        else:
            title = self._title if self._title is not None else _title(text, source)
            self._item({"text": text, "title": title, "source": source}, origin)

    def _lines(self, stream: BinaryIO, origin: str) -> None:
        number = 0
        while line := stream.readline(MAX_LINE):
            number += 1
            place = f"{origin}, line {number}"
            if len(line) == MAX_LINE:
                self._wrong(place, f"text: has more than {MAX_TEXT:,} characters; {SPLIT}")
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_LINE)
                continue
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                with suppress(_NoJson):
                    self._item(self._parsed(line, place), place)

    def _json(self, stream: BinaryIO, origin: str) -> None:
        try:
            given = self._parsed(stream.read().removeprefix(b"\xef\xbb\xbf"), origin, whole=True)
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
        """The value; `whole`: of a file and not of a line. Raises _NoJson when a mistake was noted."""
        try:
            return loads(data.rstrip().decode())
        except UnicodeDecodeError as error:
            line = f", line {data.count(10, 0, error.start) + 1}" if whole else ""
            self._wrong(f"{place}{line}", "not UTF-8 text; save it with the encoding UTF-8")
        except JsonMistake as error:
            line = f", line {error.line}" if whole and error.line else ""
            column = f", column {error.column}" if error.column else ""
            advice = "Is the file complete?" if whole else "Each line is one object in braces."
            self._wrong(f"{place}{line}{column}", f"not valid JSON: {error.reason}. {advice}")
        raise _NoJson

    def _item(self, given: object, place: str, key: str = "") -> None:
        """Checks an item; `key` is where it stands at the place."""
        try:
            checked = ItemIn.model_validate(given)
        except ValidationError as error:
            mistakes = error.errors(include_url=False)
        else:
            if not self._count:
                item = checked.item()
                if self._kind is not None and "kind" not in checked.model_fields_set:
                    item = replace(item, kind=self._kind)
                self.items.append(item)
            return
        for one in mistakes:
            name = str(one["loc"][0]) if one["loc"] else ""
            if not name:
                words = f"{found(one)}; expected an object with the keys {', '.join(ItemIn.model_fields)}"
            else:
                words = explained(ItemIn, name, one)
                words += f"; {SPLIT}" if one["type"] == "string_too_long" and name == "text" else ""
            path = f"{key}.{name}" if key and name else key or name
            self._wrong(place, f"{path}: {words}" if path else words)

    def _wrong(self, place: str, words: str) -> None:
        self.items.clear()
        self._count += 1
        if len(self._mistakes) < MAX_LISTED:
            self._mistakes.append(f"{place}: {words}")


class _NoJson(Exception):
    """A mistake that has been noted already."""


def _title(text: str, source: str) -> str:
    """The first heading of a markdown text, else the file's name without its ending."""
    has_headings = not source or Path(source).suffix.lower() in MARKDOWN
    heading = HEADING.search(FENCED.sub("", text)) if has_headings else None
    return (heading[1] if heading else Path(source).stem)[:MAX_TITLE]
