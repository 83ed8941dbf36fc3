"""Reads a JSON file of any size value by value, so that memory holds one conversation or message of it.

An event parser such as ijson would do, but for two things that real exports bring: a single value that is no
JSON ends the file for it, and a path of names for each event takes quadratic memory where brackets nest
deeply. Here a value is first cut out by its brackets alone, then parsed: one that cannot be read is passed
over and the next is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 2**18
# Bytes of one value that is parsed. Parsed it takes several times as much.
MAX_VALUE = 2**25
# Values in it: an empty list takes three bytes, and 60 when it is parsed.
MAX_VALUES = 1_000_000
# Nested brackets of a value. Python's own limit is the recursion depth.
MAX_DEPTH = 100
MARK = b"\xef\xbb\xbf"
BLANKS = re.compile(rb"[ \t\r\n]*+")

# What neither opens nor closes a bracket: whole strings, and everything else.
WITHIN = re.compile(rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
SCALAR = re.compile(rb"[^][{},: \t\r\n\"]*+")
# Telegram Desktop writes control characters as \x1F, which is no JSON.
ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)


class Unreadable(Exception):
    """One value cannot be read; `reason` quotes nothing. The stream stands behind it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Cut(Exception):
    """The file is no JSON from here on, or ends too early."""


class JsonStream:
    """A position in a JSON text. Each value must be read, passed over or entered, in order."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        while len(self._buffer) < len(MARK) and self._more():
            pass
        if self._buffer.startswith(MARK):
            self._at = len(MARK)

    def peek(self) -> bytes:
        """The byte that the next value begins with, or b"" at the end."""
        while True:
            if found := BLANKS.match(self._buffer, self._at):
                self._at = found.end()
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._more():
                return b""

    def value(self) -> object:
        """The next value. Raises Unreadable for one that is no JSON or beyond a bound, and Cut."""
        return _parsed(self._raw(MAX_VALUE))

    def skip(self) -> None:
        """Passes over the next value. Raises Cut."""
        self._raw(0)

    def items(self) -> Iterator[int]:
        """Enters an array: the number of each item, which must then be read or passed over. Raises Cut."""
        self._expect(b"[")
        number = 0
        while self.peek() != b"]":
            if number:
                self._expect(b",")
                if self.peek() == b"]":  # a comma behind the last one
                    break
            yield number
            number += 1
        self._at += 1

    def entries(self) -> Iterator[str]:
        """Enters an object: the key of each value, which must then be read or passed over. Raises Cut."""
        self._expect(b"{")
        first = True
        while self.peek() != b"}":
            if not first:
                self._expect(b",")
                if self.peek() == b"}":
                    break
            first = False
            if self.peek() != b'"':
                raise Cut
            raw = self._raw(MAX_VALUE)
            self._expect(b":")
            try:
                yield str(_parsed(raw))
            except Unreadable:
                yield ""
        self._at += 1

    def _expect(self, byte: bytes) -> None:
        if self.peek() != byte:
            raise Cut
        self._at += 1

    def _raw(self, most: int) -> bytes | str:
        """The bytes of the next value, or why it is not to be parsed. With a `most` of 0 nothing is kept."""
        match self.peek():
            case b"[" | b"{":
                return self._nested(most)
            case b'"':
                return self._token(STRING, most)
            case b"]" | b"}" | b"," | b":" | b"":
                raise Cut
            case _:
                return self._token(SCALAR, most)

    def _nested(self, most: int) -> bytes | str:
        kept: list[bytes] = []
        size = depth = deepest = 0
        while True:
            byte = self._buffer[self._at : self._at + 1]
            if byte in (b"[", b"{"):
                depth += 1
                deepest = max(deepest, depth)
                end = self._at + 1
            elif byte in (b"]", b"}"):
                depth -= 1
                end = self._at + 1
            elif byte and (found := WITHIN.match(self._buffer, self._at)) and found.end() > self._at:
                end = found.end()
            elif self._more():
                continue  # a string goes on in the next chunk
            else:
                raise Cut
            size += end - self._at
            if size <= most and deepest <= MAX_DEPTH:
                kept.append(self._buffer[self._at : end])
            else:
                kept.clear()
            self._at = end
            if not depth:
                break
        return _refusal(size, deepest, most) or b"".join(kept)

    def _token(self, pattern: re.Pattern[bytes], most: int) -> bytes | str:
        """A string or a scalar: it is whole where the buffer goes on behind it."""
        while True:
            found = pattern.match(self._buffer, self._at)
            if found and (found.end() < len(self._buffer) or not self._more()):
                break
            if not found and not self._more():
                raise Cut
        if found.end() == self._at:
            raise Cut
        raw = found[0]
        self._at += len(raw)
        return _refusal(len(raw), 0, most) or raw

    def _more(self) -> bool:
        """Reads on; what is behind the position is dropped. Raises Cut where one string has more than
        MAX_VALUE bytes: a quote that is not closed must not fill the memory."""
        rest = self._buffer[self._at :]
        if len(rest) > MAX_VALUE:
            raise Cut
        # Doubled, so that a long string is searched from its start a few times only.
        read = self._stream.read(max(CHUNK, len(rest)))
        self._buffer, self._at = rest + read, 0
        return bool(read)


def _refusal(size: int, depth: int, most: int) -> str:
    if size > most:
        return f"more than {MAX_VALUE // 2**20} MB"
    return "nested too deeply" if depth > MAX_DEPTH else ""


def _parsed(raw: bytes | str) -> object:
    """Raises Unreadable. Bytes that are not UTF-8 become U+FFFD: one cut emoji loses no conversation."""
    if isinstance(raw, str):
        raise Unreadable(raw)
    if _count(raw) > MAX_VALUES and _count(STRING.sub(b"", raw)) > MAX_VALUES:
        raise Unreadable(f"more than {MAX_VALUES:,} values")
    try:
        return json.loads(raw.decode(errors="replace"), strict=False)
    except ValueError:  # also a number of thousands of digits
        pass
    try:
        return json.loads(ESCAPE.sub(_mended, raw).decode(errors="replace"), strict=False)
    except ValueError:
        pass
    # Raised outside the handlers: a traceback must not chain to an error that holds the text.
    raise Unreadable("not valid JSON")


def _count(raw: bytes) -> int:
    """The brackets that open, and commas: as many as there are values, and more within strings."""
    return sum(map(raw.count, (b"[", b"{", b",")))


def _mended(escape: re.Match[bytes]) -> bytes:
    return b"\\u00" + escape[1] if escape[1] else escape[0]
