"""JSON that is taken as it was meant or not at all: no key twice, no NaN, and mistakes with their place."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class JsonMistake(Exception):
    """The text is no such JSON. `line` and `column` count from 1; None when the mistake has no one place."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


def loads(text: str) -> object:
    """The value of a JSON text. Raises JsonMistake, which quotes nothing."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise JsonMistake(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise JsonMistake("nested too deeply") from None
    except ValueError:  # Python's limit on the digits of a whole number
        raise JsonMistake("a number with thousands of digits") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The usual reading, that the last one counts, would lose what the others say."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonMistake("the same key twice in one object")
    return found


def _no_constant(_: str) -> NoReturn:
    raise JsonMistake("NaN and Infinity are no JSON")
