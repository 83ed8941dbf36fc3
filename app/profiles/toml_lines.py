"""Finds the lines of a TOML document's keys, since tomllib gives no line numbers for them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

# The path of a key in the document: ("history", 1, "text").
Key = tuple[str | int, ...]

# The tokens that decide where a TOML statement ends: strings, comments, brackets and line ends. An unclosed
# string extends to the end of its line (a multi-line one: of the file), so that nothing is scanned twice.
TOKEN = re.compile(
    r"""
    \"{3} (?: [^"\\]++ | \\[\s\S] | "(?!"") )*+ (?: "{3,5} | \Z )
    | '{3} [\s\S]*? (?: '{3,5} | \Z )
    | " (?: [^"\\\n] | \\. )*+ "?
    | ' [^'\n]*+ '?
    | \# [^\n]*+
    | [][{}\n]
    """,
    re.VERBOSE,
)


def key_lines(source: str) -> dict[Key, int]:
    """The line, from 1, on which each key and table of a valid TOML document first stands.

    tomllib gives no positions, so it parses each statement separately: the statement's line is known.
    """
    lines: dict[Key, int] = {}
    table: Key = ()
    lengths: dict[Key, int] = {}
    for line, statement in _statements(source):
        keys = list(_keys(tomllib.loads(statement)))
        if statement.lstrip(" \t").startswith("["):
            table = _table(keys[-1], lengths)
            keys = [table[:size] for size in range(1, len(table) + 1)]
        else:
            keys = [table + key for key in keys]
        for key in keys:
            lines.setdefault(key, line)
    return lines


def _table(header: Key, lengths: dict[Key, int]) -> Key:
    """The table that a header opens; `lengths` counts the tables of each [[array]] so far."""
    names = [part for part in header if isinstance(part, str)]
    table: Key = ()
    for depth, name in enumerate(names, 1):
        table += (name,)
        if depth == len(names) and len(header) > len(names):
            lengths[table] = lengths.get(table, 0) + 1
        if table in lengths:
            table += (lengths[table] - 1,)
    return table


def _keys(value: object, above: Key = ()) -> Iterator[Key]:
    """Yields the path of every key inside the value, outer ones first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, one in inner:
        yield (*above, part)
        yield from _keys(one, (*above, part))


def _statements(source: str) -> Iterator[tuple[int, str]]:
    """Yields each statement's line and text; it ends at the first line end outside strings and brackets."""
    line, start, depth = 1, 0, 0
    for token in TOKEN.finditer(source + "\n"):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth <= 0:
                statement = source[start : token.start()]
                yield line, statement
                line, start, depth = line + statement.count("\n") + 1, token.end(), 0
    if start < len(source):  # a string or a bracket is never closed
        yield line, source[start:]


def first_broken_line(source: str) -> int:
    """The line of the first statement that is not valid TOML by itself. Check toml_bounds.py first."""
    for line, statement in _statements(source):
        try:
            tomllib.loads(statement)
        except ValueError:
            return line
    return 1
