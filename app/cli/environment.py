"""What commands work with: the settings, and the store in the folder that they name."""

from __future__ import annotations

from pydantic import ValidationError

from app.cli.terminal import say
from app.errors import CoSteerError
from app.settings import PREFIX, Settings, suggestion, unknown_names
from app.store import Store

CORRECT = "Correct these settings in the environment or in .env; .env.example lists them all."


def read_settings(**given: object) -> Settings:
    """The settings; those `given` go first unless they are None. Raises CoSteerError when one is wrong."""
    for sentence in unknown_names():
        say(f"warning: {sentence}")
    settings, mistakes = checked_settings(**given)
    if settings is not None:
        return settings
    for mistake in mistakes:
        say(mistake)
    raise CoSteerError(CORRECT)


def checked_settings(**given: object) -> tuple[Settings | None, list[str]]:
    """The settings, or None and a sentence for each that is wrong. Raises CoSteerError for a .env that is
    no text."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None}), []  # type: ignore[arg-type]
    except (OSError, UnicodeDecodeError) as error:
        raise CoSteerError(f".env cannot be read as UTF-8 text: {error}") from error
    except ValidationError as error:
        problems = error.errors(include_input=False)
    mistakes = []
    for problem in problems:
        name = PREFIX + str(problem["loc"][0]).upper()
        if problem["type"] == "extra_forbidden":
            mistakes.append(f"{name} is not a setting.{suggestion(name)}")
        else:
            mistakes.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
    return None, mistakes


def open_store() -> Store:
    """The store on this device, made when there is none. Raises StoreError."""
    return Store.open(read_settings().data_dir)
