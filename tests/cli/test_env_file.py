"""What is wrong in a .env, or in a variable, is named in our words, by line and name, and never quoted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings.settings import PREFIX, Settings
from cli.running import done, refused, written


def complaints(env: str | bytes) -> list[str]:
    """What is said of a .env, but the last line, which says what to do."""
    written(".env", env)
    message = refused("keys", "list")
    assert "dotenv" not in message
    return message.splitlines()[:-1]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ("COSTEER_STRENGTH 1", ".env, line 1: this is no setting. Write COSTEER_STRENGTH=value."),
        ("\n\n# x\nCOSTEER_STRENGTH 1", ".env, line 4: this is no setting. Write COSTEER_STRENGTH=value."),
        ("A=1\r\nCOSTEER_PORT: 1", ".env, line 2: this is no setting. Write COSTEER_PORT=value."),
        ("set COSTEER_PORT=1", ".env, line 1: this is no setting. Write COSTEER_PORT=value."),
        ("what is this", ".env, line 1: this is no setting. Write NAME=value, or # before a remark."),
        ("COSTEER_PORT", ".env, line 1: COSTEER_PORT needs a = and a value. Write COSTEER_PORT=value."),
        (
            "export COSTEER_PORT",
            ".env, line 1: COSTEER_PORT needs a = and a value. Write COSTEER_PORT=value.",
        ),
        ("COSTEER_PORT=1\nX=2\ncosteer_port=3", ".env, line 3: costeer_port stands in line 1 already."),
        ("COSTEER_REMOTE_MODEL='a", ".env, line 1: the quotes around the value of COSTEER_REMOTE_MODEL"),
        ('COSTEER_HOST="a\nX="', ".env, line 1: the quotes around the value of COSTEER_HOST do not end"),
        ("$env:COSTEER_PORT = 1", ".env, line 1: a name is COSTEER_ and"),
        ("COSTEER-PORT=1", ".env, line 1: a name is COSTEER_ and"),
        ("A=1\nCOSTEER_PROT=1", ".env, line 2: COSTEER_PROT is not a setting. Did you mean COSTEER_PORT?"),
        ("A=1\n\nCOSTEER_PORT=x", ".env, line 3: COSTEER_PORT: must be a whole number from 0 to 65535"),
    ],
)
def test_a_line_that_is_wrong_is_named(env: str, expected: str) -> None:
    (said,) = complaints(env)
    assert said.startswith(expected)


def test_all_of_them_are_named_at_once_and_none_is_quoted() -> None:
    said = complaints("COSTEER_REMOTE_API_KEY sk-1\nsk-2 sk-3\nCOSTEER_PORT=sk-4\nCOSTEER_PROT=sk-5")
    assert [line.split(":")[0] for line in said] == [f".env, line {number}" for number in (1, 2, 3, 4)]
    assert "sk-" not in "".join(said)


@pytest.mark.parametrize(
    "env",
    [
        "export COSTEER_LOG_LEVEL=INFO # a remark",
        "COSTEER_LOG_LEVEL = 'info'",
        '\ufeff\n# COSTEER_X 1\n\nHF_TOKEN="a\nb"\nCOSTEER_LOG_LEVEL="INFO"\r\nNODE_ENV\n',
        "",
    ],
)
def test_a_file_that_can_be_read_is_no_mistake(env: str) -> None:
    written(".env", env)
    done("keys", "list")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_called_by_its_name(encoding: str) -> None:
    written(".env", "COSTEER_PORT=1".encode(encoding))
    assert ".env cannot be read as UTF-8 text: it is UTF-16" in refused("profiles", "list")


def test_a_line_in_another_encoding_is_named() -> None:
    written(".env", "COSTEER_PORT=1\nCOSTEER_REMOTE_MODEL=Größe".encode("latin-1"))
    message = refused("profiles", "list")
    assert ".env cannot be read as UTF-8 text: line 2 is in another encoding. Save it as UTF-8." in message


def test_a_file_that_may_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written(".env", "COSTEER_PORT=1")

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # permissions would not stop the tests of a root user
    assert "error: .env cannot be read: Permission denied." in refused("keys", "list")


def test_a_folder_of_that_name_is_none_of_its_business() -> None:
    Path(".env").mkdir()
    done("keys", "list")


def test_a_variable_of_the_environment_is_not_blamed_on_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_PORT", "y")
    (said,) = complaints("COSTEER_PORT=x")
    assert said == "COSTEER_PORT: must be a whole number from 0 to 65535"


LIBRARY = re.compile(r"Input|input|valid |unable|parse|Value error|string|literal|pydantic|integer|bool")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_wrong_value_is_explained_in_our_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"{PREFIX}{name.upper()}"
    for value in ("x y", "-1", "99999999999999999999", "nan", "inf", "1.5", "~nobody-of-this-name", "\udcff"):
        monkeypatch.setenv(variable, value)
        try:
            Settings()
        except ValueError:
            (said, _) = refused("keys", "list").splitlines()
            assert said.startswith(f"{variable}: ")
            assert not LIBRARY.search(said)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("port", "eighty", "a whole number from 0 to 65535"),
        ("trust_network", "perhaps", "true or false"),
        ("max_running", "0", "a whole number, 1 or more"),
        ("log_level", "loud", "debug, info, warning or error"),
        ("device", "gpu", "auto, cuda, mps or cpu"),
        ("dtype", "int4", "auto, int8, float32, bfloat16 or float16"),
        ("on_local_failure", "stop", "unsteered or error"),
        ("remote_read_timeout", "inf", "a number above 0"),
        ("remote_patience", "-1", "a number, 0 or more"),
        ("draft_length", "many", "a whole number from 1 to 4096"),
        ("verify_batch", "257", "a whole number from 0 to 256"),
        ("confidence_gate", "2", "a number above 0, of at most 1"),
        ("margin", "-1", "a number from 0 to 10"),
        ("strength", "5", 'a number from 0 to 4, or "auto"'),
    ],
)
def test_a_wrong_value_is_told_what_is_taken(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    assert refused("keys", "list").splitlines()[0] == f"{PREFIX}{name.upper()}: must be {expected}"
