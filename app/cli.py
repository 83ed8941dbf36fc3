"""`costeer`: serve, manage weights and profiles."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from app import __version__, weights
from app.errors import CoSteerError, ProfileFileError
from app.listener import listen
from app.profile_file import read_profile_file
from app.progress import RichProgress
from app.settings import PREFIX, Settings, suggestion, unknown_names
from app.store import Store

app = typer.Typer(
    help="A local proxy that personalises a remote model's reply while it is written.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="Weights of the models that run in this process.", no_args_is_help=True)
profiles_app = typer.Typer(help="Profiles: who replies are steered towards.", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(profiles_app, name="profiles")
out = Console()
err = Console(stderr=True)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless set.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 8000 unless set, 0 picks one.", min=0, max=65535)
    ] = None,
) -> None:
    """Serve the OpenAI API on this machine."""
    with _mistakes_named():
        settings = _settings(host=host, port=port)
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        # As Ctrl-C does, it should close what is open, a download's pip among it, and not just kill.
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
        # The port first: a taken one should be said before minutes of downloading.
        with listen(settings.host, settings.port) as listener:
            # Before the event loop runs, so that Ctrl-C ends a download at once.
            _pull(settings.model_names(), settings)
            # Imported here: torch takes seconds, and no other command needs it.
            from app.server import serve as run  # noqa: PLC0415

            asyncio.run(run(settings, listener, out))


@models_app.command("list")
def models_list() -> None:
    """List the bundles: what is on the disk, where, and how large."""
    with _mistakes_named():
        table = Table("bundle", "on disk", "download", "licence", "folder")
        for line in weights.listing(_settings().cache_dir):
            on_disk = f"{line.disk_size / 1e6:,.0f} MB" if line.installed else "no"
            folder = str(line.folder) if line.installed else ""
            table.add_row(line.name, on_disk, f"{line.download_size / 1e6:,.0f} MB", line.license, folder)
        out.print(table)


@models_app.command("pull")
def models_pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Bundles; those the settings use if none.")
    ] = None,
) -> None:
    """Fetch weights, check them against their SHA-256, and convert them, once."""
    with _mistakes_named():
        settings = _settings()
        for name, where in _pull(names or settings.model_names(), settings).items():
            out.print(f"{name}: {where}", soft_wrap=True, markup=False, highlight=False)


@profiles_app.command("list")
def profiles_list() -> None:
    """List the profiles in the database."""
    with _mistakes_named(), Store.open(_settings().data_dir) as store:
        table = Table("id", "name", "default", "history")
        for line in store.profiles():
            table.add_row(line.id, line.name, "yes" if line.is_default else "", str(line.history_count))
        out.print(table)


@profiles_app.command("import")
def profiles_import(
    files: Annotated[list[Path], typer.Argument(help="Profile files (TOML).", metavar="FILE...")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave profiles as they are that exist.")] = False,
) -> None:
    """Import profile files; one with the same id is replaced. Nothing is stored if any file is wrong."""
    with _mistakes_named():
        profiles = [read_profile_file(path) for path in files]
        for number, profile in enumerate(profiles):
            if profile.id in {earlier.id for earlier in profiles[:number]}:
                raise ProfileFileError(f"{files[number]}: an earlier file has the id {profile.id!r} already")
        with Store.open(_settings().data_dir) as store:
            known = {profile.id for profile in store.profiles()} if keep else set()
            for profile in profiles:
                change = "kept" if profile.id in known else store.put(profile)
                out.print(f"profile {profile.id}: {change}", markup=False, highlight=False)


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__, highlight=False)


def _pull(names: Sequence[str], settings: Settings) -> dict[str, str]:
    with RichProgress() as progress:
        return {
            name: weights.resolve(
                name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir, progress=progress
            )
            for name in names
        }


def _settings(**given: object) -> Settings:
    for sentence in unknown_names():
        _say(f"warning: {sentence}")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except (OSError, UnicodeDecodeError) as error:
        raise CoSteerError(f".env cannot be read as UTF-8 text: {error}") from error


@contextmanager
def _mistakes_named() -> Iterator[None]:
    """Errors that the user can mend are one message, not a traceback; Ctrl-C is no error."""
    try:
        yield
    except CoSteerError as error:
        _fail(error.message)
    except ValidationError as error:
        for problem in error.errors(include_input=False):
            name = PREFIX + str(problem["loc"][0]).upper()
            if problem["type"] == "extra_forbidden":
                _say(f"{name} is not a setting.{suggestion(name)}")
            else:
                _say(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        _fail("Correct these settings in the environment or in .env; .env.example lists them all.")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str) -> None:
    _say(f"error: {message}")
    sys.exit(1)


def _say(message: str) -> None:
    err.print(message, markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """The console script."""
    app()
