"""What every command has in common: help, lean imports, settings, and text that a terminal would obey."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from local.weights.gguf_files import write_model
from typer.main import get_command

from app import __version__
from app.cli import app
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.settings.settings import Settings
from cli.running import ANNA, ROOT, done, misused, on_terminal, open_store, refused, run, written

NOUNS = {
    "models": ["list", "found", "pull"],
    "profiles": [
        "list",
        "show",
        "create",
        "set",
        "delete",
        "import",
        "samples",
        "export",
        "preview",
        "draft",
    ],
    "history": ["list", "show", "add", "sync", "sources", "level", "search", "delete"],
    "keys": ["create", "list", "delete"],
    "service": ["install", "status", "remove"],
    "config": ["show", "get", "path", "set"],
}
COMMANDS = ["", "serve", "chat", "bench", "eval", "doctor", "backup", "restore", "version", *NOUNS]
COMMANDS += [f"{noun} {verb}" for noun, verbs in NOUNS.items() for verb in verbs]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    text = done(*command.split(), "--help")
    assert "Usage:" in text
    assert done(*command.split(), "-h") == text


def test_every_command_and_option_has_a_help_text() -> None:
    def check(command: Any, name: str) -> list[str]:
        assert command.help, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"
        inner: dict[str, Any] = getattr(command, "commands", {})
        return [name, *(n for key, one in inner.items() for n in check(one, f"{name} {key}".strip()))]

    assert sorted(check(get_command(app), "")) == sorted(COMMANDS)


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_the_terminal_and_names_no_types(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = done(*command.split(), "--help")
    assert [line for line in text.splitlines() if len(line) > columns] == []
    assert not re.search(r"\b(TEXT|INTEGER|FLOAT|BOOLEAN|RANGE)\b|<[a-z]+[]>]|\[(default|required)", text)


def test_an_example_can_be_pasted_from_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = done("profiles", "create", "--help")
    pasted = text[text.index("  costeer profiles create isabel") :].replace("\\\n", " ")
    words = shlex.split(pasted)
    assert words[:4] == ["costeer", "profiles", "create", "isabel"]
    assert "occupation=Estate agent" in words
    assert "Answer briefly. | Answer at length." in words


def test_a_heading_is_bold_on_a_terminal_and_plain_in_a_pipe() -> None:
    assert "\x1b[1mOptions:" in on_terminal(60, "serve --help")
    assert "\x1b" not in done("serve", "--help")


@pytest.mark.parametrize("command", ["", *NOUNS])
def test_a_command_of_commands_alone_lists_them(command: str) -> None:
    result = run(*command.split())
    assert (result.exit_code, result.stdout) == (2, done(*command.split(), "--help"))


def test_help_names_the_defaults_that_the_settings_have() -> None:
    text = done("serve", "--help")
    for name in ("host", "port"):
        assert str(Settings.model_fields[name].default) in text


# Runs several commands in one process of its own, and says which of the slow packages are there then.
LEAN = """
import sys
from app.cli import app
for line in sys.argv[1:]:
    app(line.split(), standalone_mode=False)
print([name for name in ("torch", "transformers", "fastapi", "prompt_toolkit") if name in sys.modules])
"""


def test_no_command_but_serve_chat_preview_bench_and_eval_needs_torch() -> None:
    """Seconds of importing, for a list."""
    written("anna.toml", ANNA)
    write_model(Path("a.gguf"))
    lines = ["profiles import anna.toml", "profiles show anna", "profiles export anna anna.json"]
    lines += ["history add anna anna.toml", "history search anna nurse", "history list anna"]
    lines += ["keys create --profile anna", "keys list", "models list", "models found"]
    lines += ["profiles delete anna --yes"]
    result = subprocess.run(
        [sys.executable, "-c", LEAN, *lines],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LLAMA_CACHE": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert any(line.startswith("llama.cpp:a.gguf\tllama\t") for line in result.stdout.splitlines())
    assert result.stdout.splitlines()[-1] == "[]"


def test_version_is_the_package_s() -> None:
    for command in ("version", "--version", "-V"):
        assert done(command) == f"{__version__}\n"


def test_help_promises_no_more_than_is_kept() -> None:
    """A reply that tells who somebody is tells it to the remote too, as far as they let it."""
    text = " ".join(done("--help").replace("│", " ").split())
    assert "what the reply may say of you, you decide" in text
    assert "never leave" not in text


@pytest.mark.parametrize("command", ["profiles list", "models list", "keys list", "serve"])
def test_wrong_settings_are_all_named_as_variables(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COSTEER_PORT", "eighty")
    monkeypatch.setenv("COSTEER_REMOTE_BASE_URL", "host:8001")
    written(".env", "COSTEER_STRENGHT=1\nHF_TOKEN=x\n")
    lines = refused(*command.split(), status=78 if command == "serve" else 1).splitlines()
    assert [line.split(":")[0].split(" is")[0] for line in lines] == [
        "COSTEER_PORT",
        "COSTEER_REMOTE_BASE_URL",
        ".env, line 1",
        "error",
    ]
    assert lines[2] == ".env, line 1: COSTEER_STRENGHT is not a setting. Did you mean COSTEER_STRENGTH?"
    assert "http://host:8001/v1" in lines[1]


@pytest.mark.parametrize("value", ["strong", "4.5"])
def test_a_wrong_strength_is_told_once_with_what_is_taken(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("COSTEER_STRENGTH", value)
    first, *_ = lines = refused("keys", "list").splitlines()
    assert first == 'COSTEER_STRENGTH: must be a number from 0 to 4, or "auto"'
    assert len(lines) == 2


def test_an_unknown_variable_of_the_environment_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_STRENGHT", "1")
    result = run("keys", "list")
    assert result.exit_code == 0
    assert result.stderr == "warning: COSTEER_STRENGHT is not a setting. Did you mean COSTEER_STRENGTH?\n"


def test_a_data_folder_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_DATA_DIR", written("file", "x"))
    assert "COSTEER_DATA_DIR" in refused("profiles", "list")


@pytest.mark.parametrize(
    "command",
    [
        "profiles show nobody",
        "profiles set nobody --default",
        "profiles delete nobody --yes",
        "profiles export nobody",
        "profiles preview nobody hello",
        "history list nobody",
        "history show nobody item_1",
        "history add nobody file",
        "history sync nobody .",
        "history sources nobody",
        "history sources nobody --forget .",
        "history search nobody word",
        "history level nobody item_1 off",
        "history delete nobody item_1",
        "history delete nobody --all --yes",
        "keys create --profile nobody",
    ],
)
def test_an_unknown_profile_is_named_with_advice(command: str) -> None:
    message = refused(*command.split())
    assert "There is no profile 'nobody'" in message
    assert "costeer profiles list" in message


def test_an_argument_that_is_no_text_is_a_mistake_and_no_traceback() -> None:
    done("profiles", "import", written("anna.toml", ANNA))
    for command in (["profiles", "show", "\udcff"], ["keys", "create", "--admin", "--label", "\udcff"]):
        assert "UTF-8" in refused(*command)


EVIL = "\x1b]0;owned\x07\x9b31m\u202eabc [red]x[/red]"


def test_what_a_terminal_would_obey_is_written_out_but_not_in_json() -> None:
    with open_store() as store:
        item = HistoryItem(EVIL, f"{EVIL}\nboat", source=EVIL)
        store.profiles.put(ProfileDocument(Profile("anna", EVIL, ((EVIL, EVIL),)), (item,)))
        (stored,) = store.history.page("anna").items
        store.keys.create(EVIL, "anna")
    shown = [
        done("profiles", "list"),
        done("profiles", "show", "anna"),
        done("history", "list", "anna"),
        done("history", "show", "anna", str(stored.id)),
        done("history", "search", "anna", "boat"),
        done("keys", "list"),
    ]
    for text in shown:
        assert not set("\x1b\x07\x9b\u202e") & set(text)
        assert "\\x1b]0;owned" in text
        assert "[red]x[/red]" in text  # and it is no markup either
    for command in ("profiles show anna", "history search anna boat", "keys list"):
        assert "\\u001b" in done(*command.split(), "--json")
    assert "\\u001b]0;owned" in done("profiles", "export", "anna")


def test_a_command_that_there_is_not_is_a_mistake_of_usage() -> None:
    assert "profile" in misused("profile")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_an_output_that_cannot_be_written_is_named() -> None:
    done("profiles", "import", written("anna.toml", ANNA))
    for command in ("profiles list", "profiles export anna"):
        with Path("/dev/full").open("wb") as full:
            result = subprocess.run(
                [sys.executable, "-c", "from app.cli import main; main()", *command.split()],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert result.returncode == 1
        assert result.stderr.startswith("error: The output cannot be written: no space is left")
