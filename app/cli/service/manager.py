"""What a system's manager of services is to this command: a file, and commands about it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Command = tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """A file that describes the server to the manager, and the manager's commands. `active` succeeds while
    the server runs. `logs` is where its lines are read, and `note` says what else is worth knowing."""

    manager: str
    file: Path
    text: str
    install: tuple[Command, ...]
    remove: tuple[Command, ...]
    forgotten: tuple[Command, ...]
    active: Command
    restart: str
    logs: str
    note: str


@dataclass(frozen=True)
class Ran:
    """How a command ended. `said` is the last line of its standard error."""

    ok: bool
    said: str = ""


def run(command: Sequence[str]) -> Ran:
    """Runs a command of the manager; one that there is not has failed."""
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and words of our own
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        return Ran(False, error.strerror or "it cannot be run")
    lines = done.stderr.strip().splitlines()
    return Ran(done.returncode == 0, lines[-1] if lines else "")
