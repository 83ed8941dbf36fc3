"""Reads a .env file: the line of each COSTEER_ setting, and the lines that are mistakes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from app.errors import CoSteerError

OURS = "COSTEER"
NAME = re.compile(rf"{OURS}_[A-Z0-9_]*", re.IGNORECASE)
FOLLOWED_BY_EQUALS = re.compile(rf"\s*(export\s+)?{NAME.pattern}\s*=", re.IGNORECASE)
# UTF-16's byte order marks; without one, every other byte of plain text is zero.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass
class EnvFile:
    """The line number of each COSTEER_ variable, by its name in upper case; the names of those without a
    value; and a sentence for each mistake."""

    lines: dict[str, int] = field(default_factory=dict)
    without_value: set[str] = field(default_factory=set)
    mistakes: list[str] = field(default_factory=list)


def read_env_file(path: Path) -> EnvFile:
    """Reads the file; empty if there is none. Raises CoSteerError if it cannot be read as UTF-8 text.

    No line is quoted, since it may contain a key.
    """
    found = EnvFile()
    if not path.is_file():  # as in pydantic-settings; a folder named .env may be a virtual environment
        return found
    for number, binding in _numbered(read_text(path)):
        if mistake := _mistake(binding, found.lines):
            found.mistakes.append(f"{path}, line {number}: {mistake}")
            if binding.key is not None and binding.value is None:
                found.without_value.add(binding.key.upper())
        elif binding.key is not None and NAME.fullmatch(binding.key):
            found.lines[binding.key.upper()] = number
    return found


def _numbered(text: str) -> Iterator[tuple[int, Binding]]:
    for binding in parse_stream(io.StringIO(text)):
        blank = len(binding.original.string) - len(binding.original.string.lstrip())
        yield binding.original.line + binding.original.string[:blank].count("\n"), binding


def _mistake(binding: Binding, earlier: dict[str, int]) -> str | None:
    if binding.error:
        return _unparsed(binding.original.string)
    key = binding.key or ""
    if not NAME.fullmatch(key):
        # Other programs may keep variables in the file; a name that contains COSTEER is meant for us.
        return f"a name is {OURS}_ and letters, digits and _." if OURS in key.upper() else None
    if binding.value is None:
        return f"{key} needs a = and a value. Write {key}=value."
    if "\n" in binding.value:
        return f"the quotes around the value of {key} do not end on its line."
    if key.upper() in earlier:
        return f"{key} stands in line {earlier[key.upper()]} already. Remove one of them."
    return None


def _unparsed(line: str) -> str:
    name = NAME.search(line)
    if name is None:
        return "this is no setting. Write NAME=value, or # before a remark."
    if FOLLOWED_BY_EQUALS.match(line):
        return f"the quotes around the value of {name[0]} do not match, or something follows them."
    return f"this is no setting. Write {name[0]}=value."


def read_text(path: Path) -> str:
    """The file as UTF-8 text. Raises CoSteerError, which quotes none of it."""
    try:
        data = path.read_bytes()
        if data.startswith(UTF_16) or b"\0" in data:
            raise CoSteerError(
                f"{path} cannot be read as UTF-8 text: it is UTF-16, as Windows PowerShell writes it. Save "
                "it as UTF-8."
            )
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CoSteerError(
            f"{path} cannot be read as UTF-8 text: line {line} is in another encoding. Save it as UTF-8."
        ) from error
    except OSError as error:
        raise CoSteerError(
            f"{path} cannot be read: {error.strerror}. Give it to this user, or move it away."
        ) from error
