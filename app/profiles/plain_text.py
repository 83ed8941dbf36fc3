"""Text from bytes: UTF-8, with any line ends; what is something else is named by its line."""

from __future__ import annotations

from collections.abc import Iterator

# The longer ones first: UTF-32 begins as UTF-16 does.
MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# Bytes that are looked at when there is no mark.
HEAD = 64


class NotUtf8(Exception):
    """The bytes are no UTF-8: `line` counts from 1, and `found` says what stands there, quoting nothing."""

    def __init__(self, line: int, encoding: str | None = None) -> None:
        self.line = line
        self.found = "not UTF-8 text" + (f" but {encoding}" if encoding else "")
        super().__init__(self.found)


def decoded(data: bytes) -> str:
    """The text without a byte order mark. Raises NotUtf8."""
    if encoding := foreign(data):
        raise NotUtf8(1, encoding)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line_ends(data[: error.start]) + 1
    # Raised outside the handler: a traceback must not chain to an error that holds the text.
    raise NotUtf8(line)


def unified(text: str) -> str:
    """The text with each line end as a line feed, whether it came from Windows or from an old Mac."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def foreign(data: bytes) -> str | None:
    """The encoding of a text that says so itself, or whose every second byte is 0, as in English UTF-16."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return encoding
    head = data[:HEAD]
    halves = (head[::2], head[1::2])
    return "UTF-16" if len(head) >= 4 and any(not any(half) for half in halves) and any(head) else None


def _line_ends(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, each with its number from 1. Line feeds alone end them, since JSON may hold
    other line ends (U+2028) as they are."""
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line and not line.isspace())
