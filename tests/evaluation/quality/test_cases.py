"""Files of cases: both kinds, and each mistake by its line."""

import json
from pathlib import Path

import pytest

from app.errors import InvalidRequest
from app.evaluation.quality.cases import preference, read_cases
from app.profiles.profile import HistoryItem, Profile, ProfileDocument

PERSON = {
    "id": "7",
    "query": "Write a toast.",
    "profile": {"name": "Ann", "style": "dry"},
    "history": [{"title": "Old", "text": "First."}, {"title": "New", "text": "Second."}],
    "reference": "Dear friends, sit down.",
}
QUESTION = {"id": "9", "query": "What is a good breakfast?"}


def written(folder: Path, *lines: object) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def test_a_person_with_a_text_of_their_own(tmp_path: Path) -> None:
    (case,) = read_cases(written(tmp_path, PERSON), top_k=1)
    assert (case.id, case.messages[0].content, case.reference) == ("7", PERSON["query"], PERSON["reference"])
    assert case.profile.name == "Ann"
    assert dict(case.profile.fields) == PERSON["profile"]
    assert [hit.stored.item.title for hit in case.history] == ["New"]


def test_an_item_may_say_what_it_answers(tmp_path: Path) -> None:
    history = [{"title": "Old", "text": "a"}, {"title": "New", "text": "b", "request": "Write b."}]
    (case,) = read_cases(written(tmp_path, {**PERSON, "history": history}))
    assert [hit.stored.item.request for hit in case.history] == ["Write b.", ""]


def test_a_question_is_a_case_for_each_preference(tmp_path: Path) -> None:
    askers = [preference("concise"), preference("verbose")]
    cases = read_cases(written(tmp_path, QUESTION, "", PERSON), askers=askers)
    assert [case.id for case in cases] == ["9 concise", "9 verbose", "7"]
    assert "as concise as possible" in dict(cases[0].profile.fields)["preference"]
    assert cases[0].reference is None


def test_a_question_of_somebody_comes_with_their_newest_history(tmp_path: Path) -> None:
    history = tuple(HistoryItem(title, "text") for title in ("Old", "New"))
    ann = ProfileDocument(Profile("ann", "Ann", (("style", "dry"),)), history)
    (case,) = read_cases(written(tmp_path, QUESTION), askers=[ann], top_k=1)
    assert (case.id, case.profile) == ("9 ann", ann.profile)
    assert [hit.stored.item.title for hit in case.history] == ["New"]


def test_a_number_is_an_id_and_the_first_lines_can_be_taken(tmp_path: Path) -> None:
    path = written(tmp_path, {**QUESTION, "id": 9}, PERSON)
    assert [case.id for case in read_cases(path, askers=[preference("concise")])] == ["9 concise", "7"]
    assert [case.id for case in read_cases(path, askers=[preference("concise")], limit=1)] == ["9 concise"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([PERSON, "{"], "line 2: not JSON"),
        ([[1]], "line 1: expected"),
        ([{"id": True, "query": "x"}], "line 1: expected"),
        ([{"id": "7", "query": "  "}], "line 1: expected"),
        ([{**PERSON, "profile": {"age": 7}}], "`profile` must be"),
        ([{**PERSON, "history": [{"title": "x"}]}], "`history` must be"),
        ([{**PERSON, "history": "x"}], "`history` must be"),
        ([{**PERSON, "history": [{"title": "x", "text": "y", "request": 5}]}], "`request` of"),
        ([{**PERSON, "reference": 5}], "`reference` must be"),
        ([QUESTION], "whose question"),
        ([PERSON, PERSON], "same id"),
        ([""], "holds no case"),
    ],
)
def test_mistakes_are_named_and_not_quoted(tmp_path: Path, lines: list[object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as raised:
        read_cases(written(tmp_path, *lines))
    assert "dry" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="missing"):
        read_cases(tmp_path / "missing.jsonl")
    (tmp_path / "latin").write_bytes(b"\xe4")
    with pytest.raises(InvalidRequest, match="UTF-8"):
        read_cases(tmp_path / "latin")
