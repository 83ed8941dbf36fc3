"""Parses a multipart form as it comes (RFC 7578), as strictly as app.api.forms, holding none of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.api.forms import (
    CUT_OFF,
    HEAD_BYTES,
    MOST_PARTS,
    NO_HEADERS,
    TOO_MANY,
    boundary_of,
    delimiter_of,
    file_name_of,
    headers_of,
    name_of,
    wrong,
)

BLANK = b"\r\n\r\n"
# Blanks that may stand behind a boundary.
PADDING = 100


@dataclass(frozen=True, repr=False)
class Begun:
    """A part begins: the name of its field, and that of its file, or None for a field of text."""

    name: str
    file_name: str | None


class FormStream:
    """Is fed the form piece by piece; gives the beginnings of its parts, and what is in them."""

    def __init__(self, content_type: str) -> None:
        self._delimiter = delimiter_of(boundary_of(content_type))
        self._waiting = bytearray(b"\r\n")
        self._place: Literal["before", "behind a boundary", "head", "value", "after"] = "before"
        self._parts = 0

    def feed(self, data: bytes) -> Iterator[Begun | bytes]:
        """What can be told now. Raises InvalidRequest."""
        self._waiting += data
        while True:
            place, size = self._place, len(self._waiting)
            match place:
                case "before":
                    self._look_for_the_first()
                case "behind a boundary":
                    self._look_behind_a_boundary()
                case "head":
                    if (begun := self._head()) is not None:
                        yield begun
                case "value":
                    if value := self._value():
                        yield value
                case "after":
                    self._waiting.clear()
            if (place, size) == (self._place, len(self._waiting)) or self._place == "after":
                return

    def end(self) -> None:
        """Raises InvalidRequest unless the form is whole."""
        if self._place != "after":
            raise wrong(CUT_OFF)

    def _look_for_the_first(self) -> None:
        if self._waiting.startswith(self._delimiter):
            self._forward(len(self._delimiter), "behind a boundary")
        elif not self._delimiter.startswith(self._waiting):
            raise wrong("something stands before its first part")

    def _look_behind_a_boundary(self) -> None:
        if self._waiting.startswith(b"--"):
            self._place = "after"
            return
        end = self._waiting.find(b"\r\n")
        if 0 <= end <= PADDING and not self._waiting[:end].strip(b" \t"):
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise wrong(TOO_MANY)
            self._forward(end + 2, "head")
        elif end >= 0 or len(self._waiting) > PADDING:
            raise wrong(NO_HEADERS)

    def _head(self) -> Begun | None:
        end = self._waiting.find(BLANK)
        if end > HEAD_BYTES or (end < 0 and len(self._waiting) > HEAD_BYTES + len(BLANK)):
            raise wrong(NO_HEADERS)
        if end < 0:
            return None
        headers = headers_of(bytes(self._waiting[:end]))
        self._forward(end + len(BLANK), "value")
        name = name_of(headers)
        if not _is_text(name):
            raise wrong("the name of a part is not UTF-8")
        return Begun(name, file_name_of(headers))

    def _value(self) -> bytes:
        """What surely belongs to the value: the beginning of a boundary may still be none."""
        end = self._waiting.find(self._delimiter)
        if end >= 0:
            value = bytes(self._waiting[:end])
            self._forward(end + len(self._delimiter), "behind a boundary")
            return value
        sure = max(0, len(self._waiting) - len(self._delimiter) + 1)
        value = bytes(self._waiting[:sure])
        self._forward(sure, "value")
        return value

    def _forward(self, size: int, place: Literal["behind a boundary", "head", "value"]) -> None:
        del self._waiting[:size]
        self._place = place


def _is_text(name: str) -> bool:
    """Whether an answer can repeat it: it has no half of a character."""
    return name.encode(errors="replace").decode() == name
