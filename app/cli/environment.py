"""Loads the settings for commands, and opens the store in the data folder that they name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.cli.terminal import say
from app.errors import CoSteerError
from app.profiles.store import Store
from app.settings.env_file import EnvFile, read_env_file
from app.settings.expected import expected
from app.settings.settings import ENV_FILE, PREFIX, Settings, environment_names, suggestion, unknown_names

CORRECT = "Correct these settings in the environment or in .env; .env.example lists them all."
# Pydantic's error types whose messages are our own.
OWN_WORDS = {"value_error", "strength"}


def read_settings(**given: object) -> Settings:
    """The settings; `given` values that are not None override. Raises CoSteerError if one is invalid."""
    for sentence in unknown_names():
        say(f"warning: {sentence}")
    settings, mistakes = checked_settings(**given)
    if settings is not None:
        return settings
    for mistake in mistakes:
        say(mistake)
    raise CoSteerError(CORRECT)


def checked_settings(**given: object) -> tuple[Settings | None, list[str]]:
    """The settings, or None and a sentence for each invalid one. Raises CoSteerError for a .env that cannot
    be read as text."""
    given = {name: value for name, value in given.items() if value is not None}
    file = read_env_file(Path(ENV_FILE))
    # python-dotenv would log warnings of its own about lines that it cannot parse.
    logging.getLogger("dotenv").setLevel(logging.ERROR)
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = [one for one in error.errors(include_input=False) if _name(one) not in file.without_value]
        return None, [*file.mistakes, *(_told(one, file, given) for one in wrong)]
    return (None, file.mistakes) if file.mistakes else (settings, [])


def _told(mistake: ErrorDetails, file: EnvFile, given: Mapping[str, object]) -> str:
    """What is wrong with a setting, and its line in the .env file."""
    field, name = str(mistake["loc"][0]), _name(mistake)
    elsewhere = field in given or name in environment_names()
    place = "" if elsewhere or name not in file.lines else f"{ENV_FILE}, line {file.lines[name]}: "
    if mistake["type"] == "extra_forbidden":
        return f"{place}{name} is not a setting.{suggestion(name)}"
    if mistake["type"] in OWN_WORDS:
        return f"{place}{name}: {mistake['msg'].removeprefix('Value error, ')}"
    return f"{place}{name}: must be {expected(Settings.model_fields[field])}"


def _name(mistake: ErrorDetails) -> str:
    return PREFIX + str(mistake["loc"][0]).upper()


def open_store() -> Store:
    """Opens the store on this device; creates it if there is none. Raises StoreError."""
    return Store.open(read_settings().data_dir)
