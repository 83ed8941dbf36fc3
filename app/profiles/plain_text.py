"""Decodes UTF-8 text with any line ends; bytes that are not UTF-8 are reported by line."""

from __future__ import annotations

from collections.abc import Iterator

# Byte order marks, the longer ones first: UTF-32's begins with UTF-16's.
MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# Bytes that are examined when there is no byte order mark.
HEAD = 64


class NotUtf8(Exception):
    """The bytes are not UTF-8: `line` counts from 1; `found` describes them and quotes nothing."""

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
    """The text with every line end as a line feed, whether it was CR LF (Windows) or CR (old Macs)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def foreign(data: bytes) -> str | None:
    """UTF-16 or UTF-32 by the byte order mark, or UTF-16 if every second byte is 0, as in English text."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return encoding
    head = data[:HEAD]
    halves = (head[::2], head[1::2])
    return "UTF-16" if len(head) >= 4 and any(not any(half) for half in halves) and any(head) else None


def _line_ends(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, numbered from 1. Line feeds alone end them: JSON may hold other line ends
    (U+2028) unescaped."""
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line and not line.isspace())
