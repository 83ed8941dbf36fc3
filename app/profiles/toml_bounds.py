"""Limits the depth and size of a TOML document.

It is checked before tomllib parses it, whose time and memory for a key grow with the square of its parts.
"""

from __future__ import annotations

import re

from app.profiles.toml_lines import TOKEN

# Parts of a dotted key (history.title has two), and nested brackets. A profile needs three.
MAX_DEPTH = 10
# Line ends, brackets, commas, dots and equals signs outside strings; 90,000 history items have as many.
MAX_TOKENS = 1_000_000

PIECE = re.compile(rf"{TOKEN.pattern} | [.,=]", re.VERBOSE)


class TomlTooMuch(Exception):
    """The document exceeds a limit on `line`, which counts from 1; `reason` quotes nothing."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def check_bounds(source: str) -> None:
    """Raises TomlTooMuch if the document exceeds a limit. Takes linear time for any source."""
    line, depth, parts, tokens = 1, 0, 1, 0
    for piece in PIECE.finditer(source):
        text = piece[0]
        if text[0] in "\"'#":
            line += text.count("\n")
            continue
        tokens += 1
        parts = parts + 1 if text == "." else 1
        if text in "[{":
            depth += 1
        elif text in "]}":
            depth = max(depth - 1, 0)
        elif text == "\n":
            line += 1
        if depth > MAX_DEPTH:
            raise TomlTooMuch(line, "nested too deeply")
        if parts > MAX_DEPTH:
            raise TomlTooMuch(line, f"a key of more than {MAX_DEPTH} parts")
        if tokens > MAX_TOKENS:
            raise TomlTooMuch(
                line, "too many keys and lines; JSON takes more, and so does `costeer history add`"
            )
