"""`costeer service`: installs, examines and removes what has the system start the server."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from app.cli.config import running
from app.cli.environment import checked_settings, read_settings, settings_origins
from app.cli.private_file import private_folder
from app.cli.profiles import AsJson
from app.cli.serve import MISCONFIGURED
from app.cli.service import launchd, systemd
from app.cli.service.manager import Command, Ran, Service, run
from app.cli.terminal import mistakes_named, say, write, write_bytes, write_json
from app.errors import CoSteerError
from app.settings.config_file import NONE, config_path, named_config

commands = typer.Typer(
    help="The server as a service of your session, which the system starts.", no_args_is_help=True
)
NAME = "costeer"

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the file and the commands, and change nothing.")
]


@commands.command("install", epilog="Example:\n\ncosteer service install --dry-run")
@mistakes_named()
def install(
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that differs.")] = False,
) -> None:
    """Have the system run the server from now on, and start it again if it fails.

    On Linux that is a user unit of systemd, on macOS an agent of launchd. The service reads config.toml
    alone: no .env, and nothing of this shell.
    """
    service = _service(_program())
    if dry_run:
        write(f"# {service.file}")
        write_bytes(service.text.encode())
        _show((*service.install,))
        _say_what_it_does_not_read()
        return
    read_settings()  # or the service would end as soon as it is started
    there = service.file.exists()
    if there and not service.file.is_file():
        raise CoSteerError(f"{service.file} is no file: remove it (systemctl --user unmask {NAME}) first.")
    if there and service.file.read_bytes() != service.text.encode() and not force:
        raise CoSteerError(
            f"{service.file} is there, and differs. --dry-run shows what it would be; --force overwrites it."
        )
    private_folder(service.file.parent)
    try:
        service.file.write_text(service.text, encoding="utf-8")
    except OSError as error:
        raise CoSteerError(f"{service.file}: cannot be written: {error.strerror}") from error
    write(f"{service.file}: written")
    if service.manager == "launchd":
        run(service.remove[0])  # one that is loaded already is not loaded again
    _say_what_it_does_not_read()
    _run_all(service.install, service)
    write("The server is started. `costeer service status` says whether it answers.")
    say(f"Its lines: {service.logs}\nAfter a change of settings: {service.restart}\n{service.note}")


@commands.command("status")
@mistakes_named()
def status(as_json: AsJson = False) -> None:
    """Say whether the service is installed and runs, and whether a server answers at its port.

    The exit status is 1 unless all three are so.
    """
    service = _service(Path(NAME))
    installed = service.file.exists()
    runs = installed and run(service.active).ok
    settings, _ = checked_settings()
    address = running(settings) if settings is not None else None
    if as_json:
        write_json({"file": str(service.file), "installed": installed, "running": runs, "address": address})
    else:
        write(f"installed  {service.file if installed else 'no'}")
        write(f"running    {'yes' if runs else 'no'}")
        write(f"answers    {address or 'no'}")
        if settings is None:
            say("The settings are wrong; `costeer config show` says where.")
        elif not installed:
            say("`costeer service install` installs it.")
        elif not (runs and address):
            say(f"Why not: {service.logs}")
    sys.exit(0 if installed and runs and address else 1)


@commands.command("remove")
@mistakes_named()
def remove(dry_run: DryRun = False) -> None:
    """Stop the service and take it out of the system. Profiles and settings stay."""
    service = _service(Path(NAME))
    if dry_run:
        _show((*service.remove, ("rm", str(service.file)), *service.forgotten))
        return
    if not service.file.exists():
        raise CoSteerError(f"It is not installed: there is no {service.file}.")
    ran = [run(command) for command in service.remove]
    _unlink(service.file)
    ran += [run(command) for command in service.forgotten]
    write(f"{service.file}: removed")
    if any(not one.ok for one in ran):
        say(f"{service.manager} could not be told ({_why(ran)}): a server that runs goes on until it ends.")


def _unlink(file: Path) -> None:
    try:
        file.unlink()
    except OSError as error:
        raise CoSteerError(f"{file}: cannot be removed: {error.strerror}") from error


def _service(program: Path) -> Service:
    """The service on this system. Raises CoSteerError where there is none of that kind."""
    named = named_config()
    config = str(config_path() or NONE) if named else ""
    system: str = sys.platform
    if system == "linux":
        folder = Path(platformdirs.user_config_dir("systemd")) / "user"
        return systemd.service(program, config, folder, MISCONFIGURED)
    if system == "darwin":
        return launchd.service(program, config, Path.home(), os.getuid())
    raise CoSteerError(
        f"There is no service for {system}. On Windows the Task Scheduler can run it when you log on: "
        'schtasks /Create /TN costeer /SC ONLOGON /TR "costeer serve"'
    )


def _program() -> Path:
    """The absolute path of the command that was called, links as they are: they outlast an upgrade."""
    called = Path(sys.argv[0])
    beside = Path(sys.executable).parent / NAME
    found = shutil.which(NAME)
    for one in (called if called.name == NAME else None, beside, Path(found) if found else None):
        if one is not None and one.is_file() and os.access(one, os.X_OK):
            return one.absolute()
    raise CoSteerError("The command costeer is not installed: pip install it first, so that it has a path.")


def _show(commands: Sequence[Command]) -> None:
    write()
    for command in commands:
        write(shlex.join(command))


def _run_all(commands: Sequence[Command], service: Service) -> None:
    """Runs the commands in turn. Raises CoSteerError at the first that fails, with those left to do."""
    for number, command in enumerate(commands):
        if not (ran := run(command)).ok:
            left = "\n".join(f"  {shlex.join(one)}" for one in commands[number:])
            raise CoSteerError(
                f"{service.manager} could not be told ({_why([ran])}). {service.file.name} is written; where "
                f"{service.manager} runs, say\n{left}"
            )


def _why(ran: Sequence[Ran]) -> str:
    return next((one.said.rstrip(".") for one in ran if not one.ok and one.said), "it failed")


def _say_what_it_does_not_read() -> None:
    """Names the settings of this shell and folder, which the service will not have."""
    here = [name for name, origin in settings_origins().items() if origin.kind in {"environment", ".env"}]
    if here:
        say(
            f"warning: the service will not have these settings of this shell or of .env here: "
            f"{', '.join(here)}. `costeer config set` puts them into config.toml."
        )
