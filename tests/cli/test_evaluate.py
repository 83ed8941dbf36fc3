"""`costeer eval`, as far as it needs no model: each mistake before anything is fetched."""

import importlib.util
import json
from pathlib import Path

import pytest

from app.local import weights
from cli.running import misused, refused

QUESTION = json.dumps({"id": 1, "query": "What is a good breakfast?"})
PERSON = json.dumps(
    {"id": "2", "query": "Write a toast.", "profile": {"name": "Ann"}, "reference": "Sit down."}
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "resolve", lambda *_, **__: pytest.fail("weights before the mistake"))
    Path("questions.jsonl").write_text(f"{QUESTION}\n")
    Path("person.jsonl").write_text(f"{PERSON}\n")
    Path("people.jsonl").write_text(f"{PERSON}\n{QUESTION}\n")
    Path("file").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.jsonl"], "none.jsonl: cannot be read"),
        (["file"], "holds no case"),
        (["person.jsonl"], "two cases"),
        (["questions.jsonl", "--preference", "concise"], "two cases"),
        (["questions.jsonl", "--profile", "none.toml"], "none.toml"),
        (["questions.jsonl", "--reply-tokens", "0"], "no `reference`"),
        (["people.jsonl", "--reply-tokens", "0", "--tokens", "0"], "no `reference`"),
        (["questions.jsonl", "--out", "file"], "file: cannot be made"),
        (["questions.jsonl", "--out", "file/in"], "file/in: cannot be made"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], said: str) -> None:
    assert said in refused("eval", *arguments)
    assert not Path("evaluation").exists()


def test_what_is_not_installed_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "nltk" else find(name))
    said = refused("eval", "questions.jsonl")
    assert "Not installed: nltk." in said
    assert "costeer[eval]" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--strength", "5"),
        ("--strength", "nan"),
        ("--temperature", "nan"),
        ("--limit", "0"),
        ("--tokens", "-1"),
        ("--reply-tokens", "-1"),
        ("--at-once", "0"),
    ],
)
def test_a_number_that_cannot_be_is_a_mistake_of_usage(option: str, value: str) -> None:
    assert option in misused("eval", "questions.jsonl", option, value)
