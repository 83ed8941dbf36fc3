"""Reads JSON and JSON lines whose objects are items, by the rules of the profile's own history files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from app.errors import InvalidRequest
from app.profiles.history_file import read_history
from app.sources.documents.document import NO_TEXT, source_of
from app.sources.found import Found, LeftOut, Person

# What a mistake begins with behind the file's name: `, line 3, column 7: ` or `: [2].text: `.
PLACE = re.compile(r"(?:, (line \d+)(?:, column \d+)?)?: (?:\[(\d+)\])?")

# Programs keep much else in JSON: where the first object has no text, none of it is an item.
OTHER = LeftOut("JSON of something else than items with a text")
FIRST = {"line 1", "item 1", "the file"}


def read(path: Path, _: Person) -> Iterator[Found | LeftOut]:
    """Every item, its part being its position in the file from 1; none if there is any mistake, as there."""
    path.open("rb").close()  # a file that cannot be opened is no mistake of its content
    whole = path.absolute()
    try:
        items = read_history([str(whole)], io.BytesIO())
    except InvalidRequest as mistake:
        yield _left(whole, mistake.message)
        return
    if not items:
        yield NO_TEXT
    for number, item in enumerate(items, 1):
        yield Found(item if item.source else replace(item, source=source_of(path)), str(number))


def _left(path: Path, message: str) -> LeftOut:
    """The first mistake by its place. A key that no item has is not named: it is content."""
    first = message.split("\n")[1].strip().removeprefix(source_of(path))
    place = PLACE.match(first)
    if place is None:
        return OTHER
    where = place[1] or (f"item {int(place[2]) + 1}" if place[2] else "the file")
    words = first[place.end() :].removeprefix(".")
    if where in FIRST and words.startswith(("text: missing", "found", ": found")):
        return OTHER
    _, unknown, known = words.partition("unknown key; known are ")
    if unknown or "unknown key" in words:
        words = f"an unknown key; known are {known}" if known else "an unknown key"
    return LeftOut(f"{where}: {words}", broken=True)
