"""`costeer config`: shows every setting and where it comes from, and changes those in config.toml."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from filelock import FileLock, Timeout
from pydantic import SecretStr, ValidationError

from app.cli.environment import checked_settings, read_settings, settings_origins
from app.cli.private_file import private_folder, write_privately
from app.cli.profiles import AsJson
from app.cli.terminal import asked, mistakes_named, say, write, write_json, write_table
from app.errors import CoSteerError, InvalidRequest
from app.network.address import without_user
from app.settings.config_edit import Value, with_setting, without_setting
from app.settings.config_file import (
    FOLDERS,
    NAMED_BY,
    NONE,
    config_path,
    config_text,
    read_config_file,
    rooted,
)
from app.settings.expected import expected
from app.settings.settings import PREFIX, SECRETS, Settings

commands = typer.Typer(
    help="Settings: what holds, where it comes from, and what stands in config.toml.", no_args_is_help=True
)
STDIN = "-"
HIDDEN = "(set, not shown)"
# Characters of a line of the standard input, which may have no end.
LONGEST = 10_000
# Seconds to wait for another command that changes the file.
PATIENCE = 10.0


def complete_settings(incomplete: str) -> list[str]:
    """The names of settings that begin so, for a shell."""
    return [name for name in Settings.model_fields if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A setting's name, like port or COSTEER_PORT.",
        autocompletion=complete_settings,
    ),
]


@commands.command("show", epilog="Example:\n\ncosteer config show --json")
@mistakes_named()
def show(
    changed: Annotated[
        bool, typer.Option("--changed", help="Only those that have another value than the default.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show each setting's value, and where it comes from. Passwords and keys are not shown.

    A later one of these goes before an earlier one: the default, config.toml, .env in this folder, the
    environment, an option of a command.
    """
    settings, origins = read_settings(), settings_origins()
    names = [name for name, origin in origins.items() if not changed or origin.kind != "default"]
    if as_json:
        values = {
            name: {"value": _plain(settings, name), "from": origins[name].kind, "line": origins[name].line}
            for name in names
        }
        write_json({"config": _text(config_path()), "settings": values})
        return
    write_table(
        ("setting", "value", "from"), [(name, _shown(settings, name), str(origins[name])) for name in names]
    )
    if not names:
        say("Every setting has its default.")


@commands.command("get", epilog="Example:\n\ncosteer config get port")
@mistakes_named()
def get(
    name: Name,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print a password or key as well.")] = False,
) -> None:
    """Print the value that a setting has, wherever it comes from."""
    field = _field(name)
    settings = read_settings()
    if field in SECRETS and not reveal and _plain(settings, field) != _value(settings, field):
        raise InvalidRequest(f"{field} holds a secret. Add --reveal to print it.")
    write(_text(_value(settings, field)) or "")


@commands.command("path")
@mistakes_named()
def path() -> None:
    """Print the path of config.toml, which need not exist. The variable COSTEER_CONFIG names another one."""
    write(str(_path()))


@commands.command(
    "set",
    epilog="Examples:\n\ncosteer config set remote_base_url http://host:8001/v1\n\n"
    "costeer config set remote_api_key - < key.txt\n\ncosteer config set port --unset",
)
@mistakes_named()
def change(
    name: Name,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE",
            help="What it is to be; - reads a line of the standard input. A secret that is left out is asked "
            "for.",
        ),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Take the setting out of the file.")] = False,
) -> None:
    """Write a setting to config.toml, or take it out. Comments and order stay as they are.

    The file is for you alone to read. What the environment or .env says goes before it.
    """
    field, target = _field(name), _path()
    if unset and value is not None:
        raise typer.BadParameter("VALUE and --unset exclude each other")
    given = None if unset else _given(field, value)  # before others have to wait
    private_folder(target.parent)
    with _only_writer(target):
        text = config_text(target) or ""
        if given is None:
            after = without_setting(text, target, field)
        else:
            after = with_setting(text, target, field, _checked(field, given))
        write_privately(target.resolve(), after.encode())
    write(f"{target}: {field} {'taken out' if unset else 'set'}")
    _say_what_else_counts(field)


def _path() -> Path:
    found = config_path()
    if found is None:
        raise InvalidRequest(f"{NAMED_BY}={NONE} does without config.toml. Unset it to use one.")
    return found


@contextmanager
def _only_writer(target: Path) -> Iterator[None]:
    """Has other commands that change the file wait, so that no change of theirs is lost."""
    lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=PATIENCE, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise CoSteerError(
            f"{target}: another command is changing it. Try again when it has ended."
        ) from None
    except OSError as error:
        raise CoSteerError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def _field(name: str) -> str:
    """The setting of that name, in either spelling. Raises InvalidRequest."""
    field = name.strip().lower().removeprefix(PREFIX.lower())
    if field in Settings.model_fields:
        return field
    close = difflib.get_close_matches(field, Settings.model_fields, n=1, cutoff=0.6)
    question = f" Did you mean {close[0]}?" if close else ""
    raise InvalidRequest(f"{name[:64]} is not a setting.{question} `costeer config show` lists them.")


def _given(field: str, value: str | None) -> str:
    if value is None:
        if field not in SECRETS:
            raise typer.BadParameter("give a VALUE, or --unset")
        if not asked():
            raise InvalidRequest(f"Nobody can be asked for {field} here: give - and send it in.")
        value = typer.prompt(f"{field} (it is not shown)", hide_input=True, err=True)
    elif value == STDIN:
        value = sys.stdin.readline(LONGEST + 1)
        if len(value) > LONGEST:
            raise InvalidRequest(f"{field}: the line is longer than {LONGEST:,} characters.")
    return str(value).strip()


def _checked(field: str, value: str) -> Value:
    """The value as the file is to have it. Raises InvalidRequest for one that the setting does not take, by
    itself or beside the others of the file."""
    if not value:
        raise InvalidRequest(f"{field}: an empty value is as good as none. Add --unset to take it out.")
    if field in FOLDERS and not rooted(value):
        value = str(Path(value).absolute())
    values = read_config_file().values
    before = {name: one for name, one in values.items() if name in Settings.model_fields}
    _, wrong = _mistaken(before)
    settings, after = _mistaken({**before, field: value})
    for name, sentence in after.items():
        if name == field or name not in wrong:
            raise InvalidRequest(sentence)
    # Another line of the file is wrong: then its own type is not known, and a text does as well.
    taken = getattr(settings, field) if settings is not None else value
    return taken if isinstance(taken, bool | int | float) else value


def _mistaken(values: dict[str, str]) -> tuple[Settings | None, dict[str, str]]:
    """The settings with these values of a file, and a sentence for each of them that is wrong."""
    try:
        return Settings(**values), {}  # type: ignore[arg-type]
    except ValidationError as error:
        found = {}
        for one in error.errors(include_input=False):
            name = str(one["loc"][0])
            if name in values:
                own = one["type"] in {"value_error", "strength"}
                message = one["msg"].removeprefix("Value error, ")
                found[name] = (
                    f"{name}: {message if own else f'must be {expected(Settings.model_fields[name])}'}"
                )
        return None, found


def _say_what_else_counts(field: str) -> None:
    """Says where the setting is set too, and that a server that runs has read the settings already."""
    try:
        origin = settings_origins()[field]
        settings, _ = checked_settings()
    except CoSteerError as error:
        say(f"warning: {error}")
        return
    if origin.kind in {"environment", ".env"}:
        say(f"warning: {origin} says otherwise of {field}, and goes before config.toml.")
    if settings is not None and (address := running(settings)) is not None:
        say(f"A server runs at {address}. Restart it: it reads its settings at the start only.")


def running(settings: Settings) -> str | None:
    """The address at which a CoSteer answers that listens as these settings say; None if none does."""
    from app.doctor.port import EVERYWHERE, served  # noqa: PLC0415  # httpx takes a moment

    host = EVERYWHERE.get(settings.host, settings.host)
    if settings.port == 0 or asyncio.run(served(host, settings.port)) is None:
        return None
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _value(settings: Settings, field: str) -> Any:
    value = getattr(settings, field)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _plain(settings: Settings, field: str) -> Any:
    """The value, without what is secret."""
    value = getattr(settings, field)
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if field in SECRETS:
        return without_user(value)
    return str(value) if isinstance(value, Path) else value


def _shown(settings: Settings, field: str) -> str:
    return _text(_plain(settings, field)) or ""


def _text(value: Any) -> str | None:
    """A value as a setting is written; None stays."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
