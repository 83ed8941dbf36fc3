"""Reads a profile file, TOML or JSON, strictly: every mistake is named by line and key; and writes JSON."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.errors import ProfileFileError
from app.mistakes import explained, found
from app.profile import ProfileDocument
from app.schemas.history import ItemIn
from app.schemas.profiles import FIELD, DocumentIn, exported
from app.strict_json import JsonMistake, loads
from app.toml_lines import Key, first_broken_line, key_lines

BARE = re.compile("[A-Za-z0-9_-]+")
MAX_LISTED = 50


Syntax = Literal["toml", "json"]


def read_profile_file(path: Path) -> ProfileDocument:
    """The profile in the file: JSON when its name ends so, else TOML.

    Raises ProfileFileError, also when the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProfileFileError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_profile(data, str(path), "json" if path.suffix.lower() == ".json" else "toml")


def parse_profile(data: bytes, origin: str, syntax: Syntax = "toml") -> ProfileDocument:
    """The profile in a file's bytes; `origin` names the file in messages. Raises ProfileFileError."""
    source = _decoded(data, origin)
    document = _parsed(source, origin) if syntax == "toml" else _parsed_json(source, origin)
    try:
        return DocumentIn.model_validate(document).document()
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    # Raised outside the handler: a traceback must not chain to pydantic's error, which holds the values.
    lines = key_lines(source) if syntax == "toml" else {}
    listed = sorted(
        {
            (_line(lines, key := _key(one)), f"{_spelled(key)}: {_explained(key, one, syntax)}")
            for one in mistakes
        }
    )
    count = f"{len(listed)} mistake{'s' if len(listed) > 1 else ''}"
    shown = [f"line {line}, {text}" if syntax == "toml" else text for line, text in listed[:MAX_LISTED]]
    if len(listed) > MAX_LISTED:
        shown.append(f"and {len(listed) - MAX_LISTED} more")
    first = listed[0][1].partition(": ")[0]
    raise ProfileFileError("\n  ".join([f"{origin} has {count}:", *shown]), param=first)


def dump_profile(document: ProfileDocument) -> bytes:
    """The document as indented JSON in UTF-8, which `parse_profile` takes back exactly.

    Times are ISO 8601 in UTC with microseconds. The same document gives the same bytes.
    """
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.dumps(exported(document), default=_iso, option=options)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _decoded(data: bytes, origin: str) -> str:
    """The text, ending in a line end: what tomllib finds at the very end of a document it gives no line."""
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    else:
        if source.strip():
            return source.replace("\r\n", "\n") + "\n"
        raise ProfileFileError(f'{origin} is empty: a profile needs at least id = "..." and name = "..."')
    raise ProfileFileError(f"{origin}, line {line}: not UTF-8 text; save the file with the encoding UTF-8")


def _parsed(source: str, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    where = re.search(r" \(at (line \d+, column \d+)\)$", reason)
    # A string or a bracket that is never closed has no position.
    place = where[1] if where else f"line {first_broken_line(source)}"
    reason = re.sub(r" \(at [^()]*\)$", "", reason)
    raise ProfileFileError(
        f'{origin}, {place}: not valid TOML: {reason}. Text stands in straight quotes, key = "text"; '
        'over several lines between """ and """'
    )


def _parsed_json(source: str, origin: str) -> object:
    try:
        return loads(source[:-1])  # without the line end that TOML needs
    except JsonMistake as mistake:
        place = f", line {mistake.line}, column {mistake.column}" if mistake.line else ""
        reason = mistake.reason.removesuffix(" at").removesuffix(" starting")
    raise ProfileFileError(f"{origin}{place}: not valid JSON: {reason}. Is the file complete?")


def _key(mistake: ErrorDetails) -> Key:
    # For a bad key of a table pydantic appends "[key]".
    return mistake["loc"][:2] if mistake["loc"][:1] == ("fields",) else mistake["loc"]


def _spelled(key: Key) -> str:
    """("history", 1, "text") as history[1].text; keys that TOML would quote are quoted."""
    parts = (
        f"[{part}]" if isinstance(part, int) else "." + (part if BARE.fullmatch(part) else json.dumps(part))
        for part in key
    )
    return "".join(parts).removeprefix(".") or "the file"


def _explained(key: Key, mistake: ErrorDetails, syntax: Syntax) -> str:
    """What is wrong and what is expected, without the value."""
    if not key:
        return f"{found(mistake)}; expected an object with the keys {', '.join(DocumentIn.model_fields)}"
    expected = None
    if key[0] == "fields" and len(key) > 1:
        expected = FIELD
    elif isinstance(key[-1], int):
        expected = "a table under a line [[history]]" if syntax == "toml" else "an object in braces"
    hint = _misplaced(key) if syntax == "toml" else ""
    return explained(DocumentIn if len(key) == 1 else ItemIn, str(key[-1]), mistake, expected) + hint


def _misplaced(key: Key) -> str:
    # TOML gives every key after a [header] to that table, which is easily forgotten.
    if len(key) > 1 and key[-1] in DocumentIn.model_fields:
        return f" (the profile's own {key[-1]} stands above the first line in brackets)"
    return ""


def _line(lines: Mapping[Key, int], key: Key) -> int:
    """The line of the key, or of the table that misses it; the first line for the whole file."""
    return next((lines[key[:size]] for size in range(len(key), 0, -1) if key[:size] in lines), 1)
