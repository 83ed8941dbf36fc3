"""`costeer eval`, as far as it needs no model: each mistake before anything is fetched."""

import importlib.util
import json
from pathlib import Path

import pytest

from app.cli.evaluated import asker, lines, strength
from app.local import weights
from app.profiles.profile import Preference
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
    Path("couple.jsonl").write_text(f"{PERSON}\n{PERSON.replace('2', '3')}\n")
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
        (["people.jsonl", "--preference", "two words", "--against", "auto [headings]"], "There are: remote"),
        (["questions.jsonl", "--lines", "2-9"], "none of these lines"),
        (["questions.jsonl", "--preference", "x" * 1001], "at most 1,000 characters"),
        (["people.jsonl", "--attack", "2", "--preference", "concise"], "--attack 2: there are 1 people"),
        (["questions.jsonl", "--questions", "drawn"], "nobody to draw"),
        (["couple.jsonl", "--attack", "2", "--reply-tokens", "0"], "no replies to attack"),
        (["couple.jsonl", "--attack", "3"], "--attack 3: there are 2 people"),
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
        ("--strength", "auto:"),
        ("--strength", "auto:5"),
        ("--strength", "auto:auto"),
        ("--margin", "-0.1"),
        ("--margin", "nan"),
        ("--disclosure", "off"),
        ("--budget", "0"),
        ("--budget", "-1"),
        ("--budget", "inf"),
        ("--budget", "nan"),
        ("--preference", "two words | "),
        ("--form", "latter"),
        ("--lines", "0-3"),
        ("--lines", "5-4"),
        ("--lines", "3-"),
        ("--history", "oldest"),
        ("--attack", "1"),
        ("--attacker", "large"),
        ("--questions", "new"),
        ("--temperature", "nan"),
        ("--limit", "0"),
        ("--tokens", "-1"),
        ("--reply-tokens", "-1"),
        ("--at-once", "0"),
    ],
)
def test_a_number_that_cannot_be_is_a_mistake_of_usage(option: str, value: str) -> None:
    assert option in misused("eval", "questions.jsonl", option, value)


@pytest.mark.parametrize(
    ("text", "kind", "value", "name"),
    [
        ("auto", "auto", 1.0, "auto"),
        ("auto:1", "auto", 1.0, "auto"),
        ("auto:0.5", "auto", 0.5, "auto:0.5"),
        ("0.5", "strength", 0.5, "strength 0.5"),
    ],
)
def test_strengths_are_numbers_or_those_of_autos_rule(text: str, kind: str, value: float, name: str) -> None:
    tried = strength(text)
    assert (tried.kind, tried.value, tried.name) == (kind, value, name)


def test_lines_are_from_the_first_to_the_last() -> None:
    assert [*lines("31-33")] == [31, 32, 33]
    assert [*lines("7")] == [7]


def test_one_word_is_a_wish_and_all_else_a_preference() -> None:
    concise, brief = asker("concise"), asker("Be brief. | Be long.")
    assert concise.preferences[0].text == "Your answer should be as concise as possible."
    assert brief.preferences == (Preference("Be brief.", "Be long."),)
    assert concise.profile is brief.profile is None
    assert concise.name != brief.name != asker("Be brief.").name
