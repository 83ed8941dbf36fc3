"""Reads a profile file (TOML), strictly: every mistake is named by its line and key, all of them at once."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from app.errors import ProfileFileError
from app.profile import HistoryItem, Profile
from app.toml_lines import Key, first_broken_line, key_lines


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("nul", "a NUL character")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "nothing but blanks")
    return value


Text = Annotated[str, AfterValidator(_without_nul)]
FilledText = Annotated[Text, AfterValidator(_not_blank)]


class _Table(BaseModel):
    """A description says what is expected, for the message of a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _HistoryTable(_Table):
    title: Text = Field("", description="text in quotes")
    text: FilledText = Field(description="text in quotes that is not blank")


class _ProfileTable(_Table):
    id: str = Field(
        pattern="^[a-z0-9_-]{1,64}$",
        description="1 to 64 lowercase letters, digits, '-' and '_' in quotes, like \"isabel\"",
    )
    name: FilledText = Field(max_length=200, description="text in quotes, 1 to 200 characters, not blank")
    default: bool = Field(False, description="true or false, without quotes")
    fields: dict[FilledText, FilledText] = Field({}, description='a table [fields] with lines key = "text"')
    history: list[_HistoryTable] = Field([], description="tables, each under a line [[history]]")


FIELD_DESCRIPTION = "a key and text in quotes, neither of them blank"
BARE = re.compile("[A-Za-z0-9_-]+")
# What a TOML value of another type is called; bool stands before int, its base.
KINDS: dict[type, str] = {
    bool: "true or false",
    str: "text",
    int: "a number",
    float: "a number",
    date: "a date",
    time: "a time",
    dict: "a table",
    list: "a list",
}


def read_profile_file(path: Path) -> Profile:
    """The profile in the file. Raises ProfileFileError, also when the file cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProfileFileError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_profile(data, str(path))


def parse_profile(data: bytes, origin: str) -> Profile:
    """The profile in a file's bytes; `origin` names the file in messages. Raises ProfileFileError."""
    source = _decoded(data, origin)
    document = _parsed(source, origin)
    try:
        table = _ProfileTable.model_validate(document)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    else:
        return Profile(
            id=table.id,
            name=table.name,
            fields=tuple(table.fields.items()),
            is_default=table.default,
            history=tuple(HistoryItem(item.title, item.text) for item in table.history),
        )
    # Raised outside the handler: a traceback must not chain to pydantic's error, which holds the values.
    lines = key_lines(source)
    listed = sorted(
        {(_line(lines, key := _key(one)), f"{_spelled(key)}: {_explained(key, one)}") for one in mistakes}
    )
    count = f"{len(listed)} mistake{'s' if len(listed) > 1 else ''}"
    raise ProfileFileError(
        "\n".join([f"{origin} has {count}:", *(f"  line {line}, {text}" for line, text in listed)])
    )


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


def _key(mistake: ErrorDetails) -> Key:
    # For a bad key of a table pydantic appends "[key]".
    return mistake["loc"][:2] if mistake["loc"][0] == "fields" else mistake["loc"]


def _spelled(key: Key) -> str:
    """("history", 1, "text") as history[1].text; keys that TOML would quote are quoted."""
    parts = (
        f"[{part}]" if isinstance(part, int) else "." + (part if BARE.fullmatch(part) else json.dumps(part))
        for part in key
    )
    return "".join(parts).removeprefix(".")


def _explained(key: Key, mistake: ErrorDetails) -> str:
    """What is wrong and what is expected, without the value."""
    table = _ProfileTable if len(key) == 1 else _HistoryTable
    if mistake["type"] == "extra_forbidden":
        return _unknown(str(key[-1]), table) + _misplaced(key)
    if key[0] == "fields" and len(key) > 1:
        expected = FIELD_DESCRIPTION
    elif isinstance(key[-1], int):
        expected = "a table under a line [[history]]"
    else:
        expected = str(table.model_fields[key[-1]].description)
    if mistake["type"] == "missing":
        return f"missing; expected {expected}"
    return f"{_found(mistake)}; expected {expected}{_misplaced(key)}"


def _unknown(key: str, table: type[BaseModel]) -> str:
    known = list(table.model_fields)
    close = difflib.get_close_matches(key.lower(), known, n=1)
    return f"unknown key; did you mean {close[0]}?" if close else f"unknown key; known are {', '.join(known)}"


def _misplaced(key: Key) -> str:
    # TOML gives every key after a [header] to that table, which is easily forgotten.
    if len(key) > 1 and key[-1] in _ProfileTable.model_fields:
        return f" (the profile's own {key[-1]} stands above the first line in brackets)"
    return ""


def _found(mistake: ErrorDetails) -> str:
    value = mistake["input"]
    match mistake["type"]:
        case "nul" | "blank":
            return f"found {mistake['msg']}"
        case "string_too_long":
            return f"found {len(value)} characters"
        case "string_pattern_mismatch":
            return "found other characters" if 0 < len(value) <= 64 else f"found {len(value)} characters"
    return f"found {next(name for kind, name in KINDS.items() if isinstance(value, kind))}"


def _line(lines: Mapping[Key, int], key: Key) -> int:
    """The line of the key, or of the table that misses it; the first line for the whole file."""
    return next((lines[key[:size]] for size in range(len(key), 0, -1) if key[:size] in lines), 1)
