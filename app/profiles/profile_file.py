"""Reads profile files (TOML or JSON) strictly, naming every error by line and key, and writes JSON."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.errors import ProfileFileError
from app.profiles.document import FIELD, DocumentIn, ItemIn, exported
from app.profiles.file_errors import MANY, NAME, explained, found
from app.profiles.levels import LEVEL, DisclosureIn
from app.profiles.plain_text import NotUtf8, decoded, unified
from app.profiles.preferences import PREFERENCE, PreferenceTable
from app.profiles.profile import HistoryItem, ProfileDocument
from app.profiles.strict_json import JsonMistake, loads
from app.profiles.toml_bounds import TomlTooMuch, check_bounds
from app.profiles.toml_lines import Key, first_broken_line, key_lines

BARE = re.compile("[A-Za-z0-9_-]+")
MAX_LISTED = 50
# Characters shown of tomllib's message, which may contain a key of any length.
MAX_REASON = 200
QUOTED = 'Text stands in straight quotes, key = "text"; over several lines between """ and """'
BACKSLASH = (
    "A backslash in double quotes begins an escape. Put the text in single quotes, 'C:\\Users', where it "
    "stands for itself, or write it twice"
)
QUOTE = (
    'Nothing may stand behind a value. Where the text itself holds a ", write \\" for it, or put the text in '
    "single quotes"
)
# Advice by words in tomllib's message.
ADVICE = {
    "hex value": BACKSLASH,
    "Unescaped": BACKSLASH,
    "scalar value": BACKSLASH,
    "Expected newline": QUOTE,
}


# What a table holds, or the tables of a list do.
TABLES: Mapping[str | int, type[BaseModel]] = {
    "history": ItemIn,
    "preferences": PreferenceTable,
    "disclosure": DisclosureIn,
}
# Tables whose keys the person chooses.
OWN_KEYS: tuple[Key, ...] = (("fields",), ("disclosure", "fields"), ("disclosure", "identifiers"))

Syntax = Literal["toml", "json"]


def read_profile_file(path: Path) -> ProfileDocument:
    """Reads a profile from a file, as JSON if its name ends in .json, else as TOML.

    Raises ProfileFileError, also when the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProfileFileError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_profile(data, str(path), "json" if path.suffix.lower() == ".json" else "toml")


def parse_profile(
    data: bytes, origin: str, syntax: Syntax = "toml", admit: Callable[[str], None] | None = None
) -> ProfileDocument:
    """Parses a profile from a file's bytes; `origin` names the file in messages. Raises ProfileFileError.

    `admit` is called with the id before the rest is validated, and may raise any exception.
    """
    source = _decoded(data, origin)
    document = _parsed(source, origin) if syntax == "toml" else _parsed_json(source, origin)
    if admit is not None and isinstance(document, dict) and isinstance(document.get("id"), str):
        admit(document["id"])
    profile, mistakes, count = _checked(document)
    if profile is not None:
        return profile
    if count > len(mistakes) == 0:
        raise ProfileFileError(f"{origin} has {count:,} mistakes. Is it a profile?")
    lines = key_lines(source) if syntax == "toml" else {}
    found_at = {
        (_line(lines, key := _key(one)), f"{_spelled(key)}: {_explained(key, one, syntax)}"): None
        for one in mistakes
    }
    listed = sorted(found_at, key=lambda one: one[0])
    number = len(listed) + count - len(mistakes)
    shown = [f"line {line}, {text}" if syntax == "toml" else text for line, text in listed[:MAX_LISTED]]
    if number > len(shown):
        shown.append(f"and {number - len(shown):,} more")
    first = listed[0][1].partition(": ")[0]
    head = f"{origin} has {number:,} mistake{'s' if number > 1 else ''}:"
    raise ProfileFileError("\n  ".join([head, *shown]), param=first)


def dump_profile(document: ProfileDocument) -> bytes:
    """The document as indented JSON in UTF-8; `parse_profile` restores it exactly.

    Times are ISO 8601 in UTC with microseconds. The same document gives the same bytes.
    """
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.dumps(exported(document), default=_iso, option=options)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _checked(document: object) -> tuple[ProfileDocument | None, list[ErrorDetails], int]:
    """The profile or None, its first errors (none beyond MANY), and the number of all errors.

    History items are validated one by one: pydantic would keep every error of all of them in memory.
    """
    history = document.get("history") if isinstance(document, dict) else None
    listed = history if isinstance(history, list) else []
    head = {**document, "history": []} if isinstance(document, dict) and listed else document
    profile, mistakes, count = None, [], 0
    items: list[HistoryItem] = []
    try:
        profile = DocumentIn.model_validate(head)
    except ValidationError as error:
        count = error.error_count()
        if count > MANY:
            return None, [], count
        mistakes = error.errors(include_url=False)
    for number, one in enumerate(listed):
        try:
            item = ItemIn.model_validate(one)
        except ValidationError as error:
            count += error.error_count()
            if len(mistakes) <= MAX_LISTED and error.error_count() <= MANY:
                steps = ("history", number)
                mistakes += [{**told, "loc": steps + told["loc"]} for told in error.errors(include_url=False)]
        else:
            if not count:
                items.append(item.item())
    return (
        (replace(profile.document(), history=tuple(items)) if profile and not count else None),
        mistakes,
        count,
    )


def _decoded(data: bytes, origin: str) -> str:
    """The text with a final line end, since tomllib gives no line for an error at the end of a document."""
    try:
        source = decoded(data)
    except NotUtf8 as error:
        raise ProfileFileError(
            f"{origin}, line {error.line}: {error.found}; save the file with the encoding UTF-8"
        ) from None
    if source.strip():
        return unified(source) + "\n"
    raise ProfileFileError(f'{origin} is empty: a profile needs at least id = "..." and name = "..."')


def _parsed(source: str, origin: str) -> dict[str, Any]:
    try:
        check_bounds(source)
    except TomlTooMuch as error:
        raise ProfileFileError(f"{origin}, line {error.line}: not taken as TOML: {error.reason}.") from None
    try:
        return tomllib.loads(source)
    except ValueError as error:
        reason, found_at = _said(error)
    # A string or a bracket that is never closed has no position.
    place = found_at or f"line {first_broken_line(source)}"
    advice = next((words for sign, words in ADVICE.items() if sign in reason), QUOTED)
    raise ProfileFileError(f"{origin}, {place}: not valid TOML: {reason[:MAX_REASON]}. {advice}")


def _said(error: ValueError) -> tuple[str, str | None]:
    """What tomllib says without the place, and the place."""
    if not isinstance(error, tomllib.TOMLDecodeError):  # Python's limit on the digits of a whole number
        return "a number with thousands of digits", None
    reason, _, place = str(error).rpartition(" (at ")
    return (reason, place.removesuffix(")")) if place.startswith("line ") else (reason or str(error), None)


def _parsed_json(source: str, origin: str) -> object:
    try:
        return loads(source[:-1])  # without the line end that TOML needs
    except JsonMistake as mistake:
        place = f", line {mistake.line}, column {mistake.column}" if mistake.line else ""
        reason = mistake.reason.removesuffix(" at").removesuffix(" starting")
    advice = " Is the file complete?" if place else ""
    raise ProfileFileError(f"{origin}{place}: not valid JSON: {reason}.{advice}")


def _key(mistake: ErrorDetails) -> Key:
    # For an invalid key of a dict, pydantic appends "[key]" to the location.
    loc = mistake["loc"]
    return next((loc[: len(table) + 1] for table in OWN_KEYS if loc[: len(table)] == table), loc)


def _spelled(key: Key) -> str:
    """("history", 1, "text") as history[1].text; keys that TOML would quote are quoted."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{_name(part)}" for part in key)
    return "".join(parts).removeprefix(".") or "the file"


def _name(part: str) -> str:
    cut = part if len(part) <= NAME else f"{part[:NAME]}..."
    return part if BARE.fullmatch(part) and cut == part else json.dumps(cut)


def _explained(key: Key, mistake: ErrorDetails, syntax: Syntax) -> str:
    """What is wrong and what is expected, without quoting the value."""
    if not key:
        return f"{found(mistake)}; expected an object with the keys {', '.join(DocumentIn.model_fields)}"
    expected = None
    match key:
        case ("fields", _):
            expected = FIELD
        case ("preferences", int()):
            expected = PREFERENCE
        case ("disclosure", "fields" | "identifiers", _):
            expected = LEVEL
        case ("history", int()):
            expected = "a table under a line [[history]]" if syntax == "toml" else "an object in braces"
    table = TABLES.get(key[0], DocumentIn) if len(key) > 1 else DocumentIn
    hint = _misplaced(key, table) if syntax == "toml" and mistake["type"] != "level" else ""
    return explained(table, str(key[-1]), mistake, expected) + hint


def _misplaced(key: Key, table: type[BaseModel]) -> str:
    # In TOML every key after a [header] belongs to that table, which is easily forgotten.
    at_home = table is not DocumentIn and key[-1] in table.model_fields
    if len(key) > 1 and key[-1] in DocumentIn.model_fields and not at_home:
        return f" (the profile's own {key[-1]} has to stand above the first line in brackets)"
    return ""


def _line(lines: Mapping[Key, int], key: Key) -> int:
    """The line of the key, else of the table that lacks it; for the whole file the first line."""
    return next((lines[key[:size]] for size in range(len(key), 0, -1) if key[:size] in lines), 1)
