"""A strict JSON parser: rejects duplicate keys, NaN and infinity, and reports where an error is.

Before parsing it rejects text that would cost too much time or memory, here or where the value is used.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

# Nested brackets. Python's own limit is the recursion depth, of which less is left where a value is used.
MAX_DEPTH = 100
# Keys of one object. logit_bias with every token of a vocabulary has fewer.
MAX_KEYS = 300_000

STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
BRACKET = re.compile(r"[][{}]")


class JsonMistake(Exception):
    """The JSON is invalid. `line` and `column` count from 1; None if the error has no single position."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


def loads(text: str, max_values: int | None = None) -> object:
    """Parses a JSON text of at most `max_values` values. Raises JsonMistake, which quotes nothing."""
    _check_bounds(text, max_values)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise JsonMistake(error.msg, error.lineno, error.colno) from None
    except ValueError:  # Python's limit on the digits of an int
        raise JsonMistake("a number with thousands of digits") from None


def _check_bounds(text: str, max_values: int | None) -> None:
    """Raises JsonMistake beyond a bound. Takes linear time, and hardly any with few brackets and commas."""
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH and (max_values is None or brackets + text.count(",") < max_values):
        return
    outline = STRING.sub("", text)
    if max_values is not None and sum(map(outline.count, "[{,")) >= max_values:
        raise JsonMistake(f"more than {max_values:,} values")
    depth = 0
    for bracket in BRACKET.findall(outline):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise JsonMistake("nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Rejects duplicate keys: json keeps the last value, and the others would be lost."""
    if len(pairs) > MAX_KEYS:
        raise JsonMistake(f"more than {MAX_KEYS:,} keys in one object")
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonMistake("the same key twice in one object")
    return found


def _finite(text: str) -> float:
    """Rejects overflow: 1e999 would become infinity, which JSON cannot express."""
    number = float(text)
    if math.isinf(number):
        raise JsonMistake("a number that is too large")
    return number


def _no_constant(_: str) -> NoReturn:
    raise JsonMistake("NaN and Infinity are no JSON")
