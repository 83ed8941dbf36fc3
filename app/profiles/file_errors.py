"""Messages about validation errors in a file: what was found and what is expected, without the value."""

from __future__ import annotations

import difflib
from datetime import date, time

from pydantic import BaseModel
from pydantic_core import ErrorDetails

# Beyond this number errors are counted but not listed: each would take a kilobyte.
MANY = 10_000
# Characters of a key that a message shows. A profile field's key has no more.
NAME = 100

# Names for the types of values; bool comes before int, its base class.
KINDS: dict[type, str] = {
    bool: "true or false",
    str: "text",
    int: "a number",
    float: "a number",
    date: "a date",
    time: "a time",
    dict: "a table",
    list: "a list",
    type(None): "null",
}


def explained(table: type[BaseModel], key: str, mistake: ErrorDetails, expected: str | None = None) -> str:
    """What is wrong with `key`; without `expected`, the field's description says what is expected."""
    if mistake["type"] == "extra_forbidden":
        return _unknown(key, table)
    if mistake["type"] == "repeated":
        return f"found {mistake['msg']}; expected each text once"
    if mistake["type"] == "opposed":
        return "found an opposite that is the text itself; expected what is wanted less"
    if mistake["type"] in {"no_field", "identifier"}:
        return mistake["msg"].removeprefix("is ")
    wanted = expected or str(table.model_fields[key].description)
    return f"{'missing' if mistake['type'] == 'missing' else found(mistake)}; expected {wanted}"


def found(mistake: ErrorDetails) -> str:
    """What the document holds there, in words."""
    value = mistake["input"]
    match mistake["type"]:
        case "nul" | "blank" | "time":
            return f"found {mistake['msg']}"
        case "string_unicode":
            return "found half of a character (a lone surrogate)"
        case "string_too_long":
            return f"found {len(value)} characters"
        case "too_long":
            return f"found {len(value)}"
        case "greater_than_equal" | "less_than_equal":
            return "found another number"
        case "literal_error" | "strength" | "level" if isinstance(value, str):
            return "found other text"
        case "strength" | "budget" if isinstance(value, int | float) and not isinstance(value, bool):
            return "found another number"
        case "string_pattern_mismatch":
            return "found other characters" if 0 < len(value) <= 64 else f"found {len(value)} characters"
    return f"found {next(name for kind, name in KINDS.items() if isinstance(value, kind))}"


def _unknown(key: str, table: type[BaseModel]) -> str:
    known = list(table.model_fields)
    close = difflib.get_close_matches(key.lower(), known, n=1) if len(key) <= NAME else []
    return f"unknown key; did you mean {close[0]}?" if close else f"unknown key; known are {', '.join(known)}"
