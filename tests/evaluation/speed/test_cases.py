"""What is asked, and for whom: prompt files, the sample profiles, and which goes with which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import InvalidRequest, ProfileFileError
from app.evaluation.speed.cases import PROMPTS, newest, pair, read_profiles, read_prompts
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.steering.strength import AUTO


def test_a_text_file_has_a_prompt_a_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffWrite a toast.\r\n\n  Über Boote?\u2028Ja.  \n".encode())
    assert read_prompts(path) == ("Write a toast.", "Über Boote?\u2028Ja.")


def test_a_jsonl_file_has_a_prompt_in_each_object(tmp_path: Path) -> None:
    path = tmp_path / "prompts.JSONL"
    path.write_text('{"prompt": "One\\ntwo", "id": 7}\n\n{"prompt": "Three"}\n', encoding="utf-8")
    assert read_prompts(path) == ("One\ntwo", "Three")


def test_without_a_file_there_are_ten() -> None:
    assert len(set(read_prompts(None))) == len(PROMPTS) == 10


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b" \n\n", "holds no prompt. Write one on each line."),
        ("a.txt", b"\xff", "save the file with the encoding UTF-8"),
        ("a.jsonl", b"", "holds no prompt"),
        ("a.jsonl", b'{"prompt": "a"}\n\nSECRET\n', 'line 3: expected an object like {"prompt": '),
        ("a.jsonl", b'{"prompt": " "}', "line 1: expected"),
        ("a.jsonl", b'{"text": "SECRET"}', "line 1: expected"),
        ("a.jsonl", b'["SECRET"]', "line 1: expected"),
    ],
)
def test_a_file_without_prompts_is_named_and_never_quoted(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidRequest) as caught:
        read_prompts(tmp_path / name)
    assert said in caught.value.message
    assert name in caught.value.message
    assert "SECRET" not in caught.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"no\.txt: cannot be read: No such file"):
        read_prompts(tmp_path / "no.txt")
    with pytest.raises(ProfileFileError, match=r"no\.toml: cannot be read"):
        read_profiles(tmp_path / "no.toml")


def test_the_samples_are_used_where_no_profile_is_given() -> None:
    assert [one.profile.id for one in read_profiles(None)] == ["ingrid", "isabel", "walter"]


def test_profiles_take_turns_and_keep_their_strength() -> None:
    documents = [ProfileDocument(Profile(name, name)) for name in ("anna", "bert")]
    found = pair(["a", "b", "c"], documents, 5, lambda profile: AUTO if profile.id == "anna" else 1.0)
    assert [(one.prompt, one.profile.id, one.strength) for one in found] == [
        ("a", "anna", AUTO),
        ("b", "bert", 1.0),
        ("c", "anna", AUTO),
    ]


def test_of_a_history_the_newest_are_read_first() -> None:
    history = [HistoryItem(f"t{number}", f"text {number}") for number in range(4)]
    assert [hit.passage for hit in newest(history, 2)] == ["text 3", "text 2"]
    assert newest(history, 0) == ()
    history[3] = replace(history[3], disclosure="off")
    assert [hit.passage for hit in newest(history, 2)] == ["text 3", "text 2", "text 1"]


def test_a_case_does_not_show_what_is_private() -> None:
    (case,) = pair(["SECRET"], [ProfileDocument(Profile("anna", "SECRET"))], 5, lambda _: 0.5)
    assert "SECRET" not in repr(case)
