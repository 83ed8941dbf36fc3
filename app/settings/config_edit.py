"""Changes one setting in the text of config.toml, and keeps its comments, its order and all else."""

from __future__ import annotations

from pathlib import Path

from app.errors import InvalidRequest
from app.settings.config_file import parsed

Value = bool | int | float | str


def with_setting(text: str, path: Path, name: str, value: Value) -> str:
    """The text with the setting; a new one comes last. Raises CoSteerError where the text is no TOML."""
    table, document = parsed(text, path)
    if any(isinstance(one, dict) for one in table.values()):
        raise InvalidRequest(f"{path} has a [table]. Settings stand at the top of the file: remove it first.")
    if name not in table and text and not text.endswith("\n"):
        _, document = parsed(f"{text}\n", path)
    document[name] = value
    return document.as_string()


def without_setting(text: str, path: Path, name: str) -> str:
    """The text without the setting. Raises InvalidRequest where it does not have it."""
    table, document = parsed(text, path)
    if name not in table:
        raise InvalidRequest(f"{path} does not have {name}, so there is nothing to take out.")
    document.remove(name)
    return document.as_string()
