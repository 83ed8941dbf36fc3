"""How deep and how large a TOML document may be.

It is looked at before tomllib reads it, whose time and memory for a key grow with the square of its parts.
"""

from __future__ import annotations

import re

from app.profiles.toml_lines import TOKEN

# Parts of a key, like history.title, and brackets inside each other. A profile needs three.
MAX_DEPTH = 10
# Lines, brackets, commas, dots and signs of equality outside strings; 90,000 items of a history have as many.
MAX_TOKENS = 1_000_000

PIECE = re.compile(rf"{TOKEN.pattern} | [.,=]", re.VERBOSE)


class TomlTooMuch(Exception):
    """The document goes past a bound on `line`, which counts from 1; `reason` quotes nothing."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def check_bounds(source: str) -> None:
    """Takes time in proportion to the source, whatever it holds. Raises TomlTooMuch."""
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
