"""Runs commands in this process, over a data folder of the test's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from app.cli import app
from app.store import Store

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


def refused(*arguments: str, stdin: str | bytes | None = None) -> str:
    """What a command that fails for a reason the user can mend says, on the standard error alone."""
    result = run(*arguments, stdin=stdin)
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (1, "")
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
