"""Reads config.toml: the value and the line of each setting, and the lines that are mistakes."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
import tomlkit
from tomlkit import TOMLDocument
from tomlkit.exceptions import TOMLKitError

from app.errors import CoSteerError
from app.settings.env_file import read_text

# Names another file; `none` names none. Of the environment only, since it says where settings are read.
NAMED_BY = "COSTEER_CONFIG"
NONE = "none"
CONFIG_FILE = "config.toml"
LINE = re.compile(r"at line (\d+)")
# Texts with commas, which the file may have as lists.
LISTS = {"allowed_hosts", "cors_origins", "model_aliases"}


@dataclass
class ConfigFile:
    """What the file says: the text of each value, as an environment variable would have it, and its line, by
    the name of the setting; and a sentence for each mistake, with the names that those are about."""

    path: Path | None
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)
    mistaken: set[str] = field(default_factory=set)

    def place(self, name: str) -> str:
        """Where a setting stands in the file."""
        return f"{self.path}, line {self.lines[name]}"

    def exposed(self, secrets: Collection[str]) -> bool:
        """Whether it holds one of these settings, and other users of this machine may read it."""
        if self.path is None or os.name != "posix" or not any(map(self.values.get, secrets)):
            return False
        return bool(self.path.stat().st_mode & 0o077)


def named_config(environ: Mapping[str, str] = os.environ) -> str:
    """What COSTEER_CONFIG says, empty if it is not set."""
    return environ.get(NAMED_BY, "").strip()


def config_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The path of config.toml, which need not exist; None if COSTEER_CONFIG is `none`."""
    named = named_config(environ)
    if named.lower() == NONE:
        return None
    if named:
        return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111  # which leaves an unknown ~user
    return Path(platformdirs.user_config_dir("costeer")) / CONFIG_FILE


def read_config_file(environ: Mapping[str, str] = os.environ) -> ConfigFile:
    """Reads the file; empty if there is none, which is a mistake where COSTEER_CONFIG names it. Raises
    CoSteerError if it cannot be read as TOML.

    No value is quoted, since it may be a key.
    """
    path = config_path(environ)
    found = ConfigFile(path)
    if path is None:
        return found
    if not path.exists():
        if named_config(environ):
            found.mistakes.append(
                f"{path}: there is no such file, and {NAMED_BY} names it. `costeer config set` makes it; "
                f"{NAMED_BY}={NONE} does without."
            )
        return found
    text = read_text(path)
    table, document = parsed(text, path)
    found.lines = _lines(document)
    for name, value in table.items():
        try:
            found.values[name] = _as_text(name, value)
        except ValueError as error:
            found.mistaken.add(name)
            found.mistakes.append(f"{found.place(name)}: {name}{error}")
    return found


def parsed(text: str, path: Path) -> tuple[dict[str, Any], TOMLDocument]:
    """The values of a text of TOML, and the text itself as tomlkit edits it. Raises CoSteerError."""
    try:
        return tomllib.loads(text), tomlkit.parse(text)
    except (tomllib.TOMLDecodeError, TOMLKitError) as error:
        line = LINE.search(str(error))
        # Without a line it is at the end of the file.
        place = f"{path}, line {line[1] if line else text.rstrip().count(chr(10)) + 1}"
        if "overwrite" in str(error):
            raise CoSteerError(f"{place}: this setting stands above already. Remove one of them.") from None
        raise CoSteerError(
            f'{place}: this is no TOML. Write name = value, and a text in quotes, like device = "cpu".'
        ) from None


def _lines(document: TOMLDocument) -> dict[str, int]:
    """The line of each name at the top of the file."""
    lines: dict[str, int] = {}
    line = 1
    for key, item in document.body:
        text = item.as_string()
        if key is None:
            line += text.count("\n")
            continue
        trivia = item.trivia
        line += trivia.indent.count("\n")
        lines.setdefault(key.key, line)
        line += f"{text}{trivia.comment_ws}{trivia.comment}{trivia.trail}".count("\n")
    return lines


def _as_text(name: str, value: Any) -> str:
    """The value as an environment variable would have it, so that both mean the same. Raises ValueError."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float() | str():
            return str(value)
        case [*parts] if name in LISTS and all(isinstance(part, str) for part in parts):
            return ",".join(parts)
        case dict():
            raise ValueError(" is a table. Settings stand at the top of the file, each as name = value.")
        case _:
            raise ValueError(" must be a text in quotes, a number, true or false.")
