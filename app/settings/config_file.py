"""Reads config.toml: the value and the line of each setting, and the lines that are mistakes."""

from __future__ import annotations

import os
import re
import stat
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
from app.profiles.toml_bounds import TomlTooMuch, check_bounds
from app.settings.env_file import read_text

# Names another file; `none` names none. Of the environment only, since it says where settings are read.
NAMED_BY = "COSTEER_CONFIG"
NONE = "none"
CONFIG_FILE = "config.toml"
ELSEWHERE = f"{NAMED_BY} names another file of settings, and {NAMED_BY}={NONE} does without."
LINE = re.compile(r"at line (\d+)")
# Every setting with its remark takes an eighth of it, and each command reads it; tomlkit is slow.
MOST_BYTES = 2**16
# Texts with commas, which the file may have as lists.
LISTS = {"allowed_hosts", "cors_origins", "model_aliases", "remote_base_url"}
# Folders. What is relative would be another one wherever `costeer` is started; the service starts in /.
FOLDERS = {"data_dir", "cache_dir", "weights_dir"}


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
    text = config_text(path)
    if text is None:
        if named_config(environ):
            found.mistakes.append(
                f"{path}: there is no such file, and {NAMED_BY} names it. `costeer config set` makes it; "
                f"{NAMED_BY}={NONE} does without."
            )
        return found
    table, document = parsed(text, path)
    found.lines = _lines(document)
    for name, value in table.items():
        try:
            found.values[name] = _as_text(name, value)
        except ValueError as error:
            found.mistaken.add(name)
            found.mistakes.append(f"{found.place(name)}: {name}{error}")
    return found


def config_text(path: Path) -> str | None:
    """The text of the file; None if there is none. Raises CoSteerError for what cannot be one of settings."""
    try:
        what = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CoSteerError(f"{path} cannot be read: {error.strerror}. {ELSEWHERE}") from error
    if not stat.S_ISREG(what.st_mode):
        raise CoSteerError(f"{path} cannot be read: it is no file. {ELSEWHERE}")
    if what.st_size > MOST_BYTES:
        raise CoSteerError(f"{path} is larger than {MOST_BYTES // 1024} KiB. {ELSEWHERE}")
    return read_text(path)


def parsed(text: str, path: Path) -> tuple[dict[str, Any], TOMLDocument]:
    """The values of a text of TOML, and the text itself as tomlkit edits it. Raises CoSteerError."""
    try:
        check_bounds(text)
        return tomllib.loads(text), tomlkit.parse(text)
    except TomlTooMuch as error:
        raise CoSteerError(f"{path}, line {error.line}: {error.reason}. Write name = value.") from None
    except (ValueError, TOMLKitError) as error:  # a number of very many digits is a ValueError of Python's
        line = LINE.search(str(error))
        # Without a line it is at the end of the file.
        place = f"{path}, line {line[1] if line else text.rstrip().count(chr(10)) + 1}"
        if "overwrite" in str(error):
            raise CoSteerError(f"{place}: this setting stands above already. Remove one of them.") from None
        raise CoSteerError(
            f'{place}: this is no TOML. Write name = value, and a text in quotes, like device = "cpu".'
        ) from None


def rooted(folder: str) -> bool:
    """Whether a path means the same in whatever folder it is read."""
    return Path(folder.strip()).is_absolute() or folder.strip().startswith("~")


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
        case str() if name in FOLDERS and value.strip() and not rooted(value):
            raise ValueError(" must be an absolute path, or begin with ~: the file counts in every folder.")
        case bool():
            return str(value).lower()
        case int() | float() | str():
            return str(value)
        case [*parts] if name in LISTS and all(isinstance(part, str) for part in parts):
            return ",".join(parts)
        case list() if name in LISTS:
            raise ValueError(" must be a list of texts in quotes, or one text with commas.")
        case dict():
            raise ValueError(" is a table. Settings stand at the top of the file, each as name = value.")
        case _:
            raise ValueError(" must be a text in quotes, a number, true or false.")
