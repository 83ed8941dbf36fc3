"""JSON that is taken as it was meant or not at all: no key twice, no NaN, and mistakes with their place.

What would take more than its share of time or memory, here or where the value is used, is refused first.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

# Brackets inside each other. Python's own bound is the stack, of which less is left where a value is used.
MAX_DEPTH = 100
# In one object. A vocabulary's tokens, as keys of logit_bias, are fewer.
MAX_KEYS = 300_000

STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
BRACKET = re.compile(r"[][{}]")


class JsonMistake(Exception):
    """The text is no such JSON. `line` and `column` count from 1; None when the mistake has no one place."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


def loads(text: str, max_values: int | None = None) -> object:
    """The value of a JSON text of at most `max_values` values. Raises JsonMistake, which quotes nothing."""
    _check_bounds(text, max_values)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise JsonMistake(error.msg, error.lineno, error.colno) from None
    except ValueError:  # Python's limit on the digits of a whole number
        raise JsonMistake("a number with thousands of digits") from None


def _check_bounds(text: str, max_values: int | None) -> None:
    """Linear in the text, and nearly free for one that has few brackets and commas."""
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
    """The usual reading, that the last one counts, would lose what the others say."""
    if len(pairs) > MAX_KEYS:
        raise JsonMistake(f"more than {MAX_KEYS:,} keys in one object")
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonMistake("the same key twice in one object")
    return found


def _finite(text: str) -> float:
    """1e999 would become infinity, which JSON cannot say."""
    number = float(text)
    if math.isinf(number):
        raise JsonMistake("a number that is too large")
    return number


def _no_constant(_: str) -> NoReturn:
    raise JsonMistake("NaN and Infinity are no JSON")
