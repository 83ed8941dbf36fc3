"""Further headers of each request to the remote: a gateway's own, and the name of one for a router."""

from __future__ import annotations

import json
import re

# A header's name: the characters of a token (RFC 9110, 5.6.2).
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# What HTTP itself needs, and what each request says of its own body and answer.
TAKEN = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
LIKE = 'like X-Access: value, one a line, or JSON like {"X-One": "value", "X-Two": "value"}'


def read_headers(value: str) -> dict[str, str]:
    """The headers by their names: of JSON, where `value` begins with a brace, else of lines `Name: value`.

    Raises ValueError with what to change, which quotes nothing but names that are taken.
    """
    pairs = _of_json(value) if value.lstrip().startswith("{") else _of_lines(value)
    found: dict[str, str] = {}
    for number, (name, text) in enumerate(pairs, 1):
        if not NAME.fullmatch(name) or not text:
            raise ValueError(f"must be headers {LIKE}; entry {number} is not")
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"must have values of plain ASCII on one line; that of entry {number} is not")
        if name.lower() in TAKEN:
            raise ValueError(f"cannot have {name.lower()}, which the proxy writes itself; remove it")
        if name.lower() in map(str.lower, found):
            raise ValueError(f"has the header of entry {number} twice; remove one of them")
        found[name] = text
    return found


def read_name(value: str) -> str:
    """The name of one header, or an empty one. Raises ValueError with what to change."""
    if value and not NAME.fullmatch(value):
        raise ValueError("must be the name of a header, like X-Session-Id")
    if value.lower() in {*TAKEN, "authorization", "cookie"}:
        raise ValueError("must be a header that has no other meaning, like X-Session-Id")
    return value


def _of_lines(value: str) -> list[tuple[str, str]]:
    # Not splitlines, which would cut a value at characters that it must not have.
    lines = [line.partition(":") for line in re.split(r"\r?\n", value) if line.strip()]
    return [(name.strip(), text.strip()) for name, _, text in lines]


def _of_json(value: str) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(value, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise ValueError(f"must be headers {LIKE}; it begins like JSON and is none") from None
    return [(name, text.strip() if isinstance(text, str) else "") for name, text in pairs]
