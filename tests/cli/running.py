"""Runs commands in this process, over a data folder of the test's own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from app.cli import app
from app.profiles.store import Store

ROOT = Path(__file__).parents[2]
ANNA = 'id = "anna"\nname = "Anna Ek"\n[fields]\noccupation = "Nurse"\n'
BERT = 'id = "bert"\nname = "Bert Ask"\ndefault = true\n[[history]]\ntext = "Once."\n'


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def done(*arguments: str, stdin: str | bytes | None = None) -> str:
    """The standard output of a command that succeeds."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def done_json(*arguments: str) -> Any:
    return json.loads(done(*arguments, "--json"))


def refused(*arguments: str, stdin: str | bytes | None = None, status: int = 1) -> str:
    """What a command that fails for a reason the user can mend says, on the standard error alone."""
    result = run(*arguments, stdin=stdin)
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (status, "")
    assert "Traceback" not in result.stderr
    assert [line[:7] for line in result.stderr.splitlines()].count("error: ") == 1
    return result.stderr


def misused(*arguments: str) -> str:
    """What a command says that was called wrongly."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr
    return " ".join(result.stderr.replace("│", " ").split())


def open_store() -> Store:
    """The store that the commands of this test use; the working folder lies beside its folder."""
    return Store.open(Path.cwd().parent / "data")


def written(name: str, text: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


# Runs several commands one after the other, since a start takes a second; ends with the sum of statuses.
SCRIPT = """
import shlex, sys
from app.cli import main
lines, status = sys.argv[1:], 0
for line in lines:
    sys.argv = ["costeer", *shlex.split(line)]
    try:
        main()
    except SystemExit as ending:
        status += ending.code or 0
sys.exit(status)
"""


def started(*lines: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a process of its own that runs these commands."""
    command = [sys.executable, "-c", SCRIPT, *lines]
    return command, {**os.environ, "PYTHONPATH": str(ROOT), **environment}


def process(*lines: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command, variables = started(*lines, **environment)
    return subprocess.run(command, env=variables, capture_output=True, check=False)


def on_terminal(columns: int, *lines: str, **environment: str) -> str:
    """What a terminal so wide is sent by commands that succeed, both outputs together."""
    command, variables = started(*lines, TERM="xterm", **environment)
    variables.pop("COLUMNS", None)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command, env=variables, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        # Linux ends a terminal that nobody holds any more with an error.
        with suppress(OSError):
            while data := os.read(ours, 1 << 16):
                shown += data
        os.close(ours)
    assert running.returncode == 0, shown
    return shown.decode().replace("\r\n", "\n")


@contextmanager
def serving(*python: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`costeer serve` in a process of its own, by these arguments of `python`, and what it printed when
    ready."""
    process = subprocess.Popen(
        [sys.executable, *python, "serve", "--port", "0"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("curl"):
                break
        yield process, printed
    finally:
        process.kill()
        process.communicate()
