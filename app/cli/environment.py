"""Loads the settings for commands, and opens the store in the data folder that they name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.cli.terminal import say
from app.errors import CoSteerError, SettingsError
from app.profiles.store import Store
from app.settings.config_file import NAMED_BY, ConfigFile, read_config_file
from app.settings.env_file import EnvFile, read_env_file
from app.settings.expected import expected
from app.settings.layers import Origin, origins
from app.settings.settings import (
    ENV_FILE,
    PREFIX,
    SECRETS,
    Settings,
    environment_names,
    suggestion,
    unknown_names,
)

CORRECT = "Correct these settings in the environment, in .env or in config.toml; .env.example lists them all."
# Pydantic's error types whose messages are our own.
OWN_WORDS = {"value_error", "strength"}


def read_settings(**given: object) -> Settings:
    """The settings; `given` values that are not None override. Raises SettingsError if one is invalid."""
    for sentence in unknown_names():
        say(f"warning: {sentence}")
    try:
        settings, mistakes = checked_settings(**given)
        if settings is not None and (config := read_config_file()).exposed(SECRETS):
            say(
                f"warning: {config.path} holds a secret, and other users may read it: chmod 600 {config.path}"
            )
    except CoSteerError as error:
        raise SettingsError(error.message) from error
    if settings is not None:
        return settings
    for mistake in mistakes:
        say(mistake)
    raise SettingsError(CORRECT)


def checked_settings(**given: object) -> tuple[Settings | None, list[str]]:
    """The settings, or None and a sentence for each invalid one. Raises CoSteerError for a .env or a
    config.toml that cannot be read."""
    given = {name: value for name, value in given.items() if value is not None}
    file, config = read_env_file(Path(ENV_FILE)), read_config_file()
    mistakes = [*file.mistakes, *config.mistakes, *_unknown(config)]
    # python-dotenv would log warnings of its own about lines that it cannot parse.
    logging.getLogger("dotenv").setLevel(logging.ERROR)
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = [one for one in error.errors(include_input=False) if not _named_already(one, file, config)]
        return None, [*mistakes, *(_told(one, file, config, given) for one in wrong)]
    return (None, mistakes) if mistakes else (settings, [])


def require_in_process(settings: Settings) -> None:
    """Raises CoSteerError where the small model is on a server, for what takes all that it computes."""
    if settings.local_base_url:
        raise CoSteerError(
            "This takes a small model in this process, and COSTEER_LOCAL_BASE_URL says that it is on a "
            "server. Unset that for this command, and have COSTEER_LOCAL_MODEL name a bundle, a hub id or a "
            "folder."
        )


def settings_origins(**given: object) -> dict[str, Origin]:
    """Where each setting's value comes from. Raises CoSteerError as `checked_settings` does."""
    given = {name: value for name, value in given.items() if value is not None}
    return origins(Settings, given, read_env_file(Path(ENV_FILE)), read_config_file())


def _unknown(config: ConfigFile) -> list[str]:
    """A sentence for each name in config.toml that is not a setting's."""
    names = [name for name in config.values if name not in Settings.model_fields]
    return [f"{config.place(name)}: {name} is not a setting.{suggestion(name, prefix='')}" for name in names]


def _named_already(mistake: ErrorDetails, file: EnvFile, config: ConfigFile) -> bool:
    """Whether what is wrong has been said of the file that it stands in."""
    field, name = str(mistake["loc"][0]), _name(mistake)
    if mistake["type"] == "extra_forbidden" and field in config.values and name not in file.lines:
        return True
    return name in file.without_value


def _told(mistake: ErrorDetails, file: EnvFile, config: ConfigFile, given: Mapping[str, object]) -> str:
    """What is wrong with a setting, and its line in the .env file or in config.toml."""
    field, name = str(mistake["loc"][0]), _name(mistake)
    place = ""
    if name == NAMED_BY or (field not in given and name not in environment_names()):
        if name in file.lines:
            place = f"{ENV_FILE}, line {file.lines[name]}: "
        elif field in config.lines:
            place, name = f"{config.place(field)}: ", field
    if mistake["type"] == "extra_forbidden":
        if name == NAMED_BY:
            return f"{place}{name} counts in the environment only: it says where settings are read."
        return f"{place}{name} is not a setting.{suggestion(name)}"
    if mistake["type"] in OWN_WORDS:
        return f"{place}{name}: {mistake['msg'].removeprefix('Value error, ')}"
    return f"{place}{name}: must be {expected(Settings.model_fields[field])}"


def _name(mistake: ErrorDetails) -> str:
    return PREFIX + str(mistake["loc"][0]).upper()


def open_store() -> Store:
    """Opens the store on this device; creates it if there is none. Raises StoreError."""
    return Store.open(read_settings().data_dir)


def look_at_store() -> Store:
    """Opens the store on this device for reading only. Raises StoreError, also if there is none."""
    return Store.look(read_settings().data_dir)
