"""Files of cases: both kinds, and each mistake by its line."""

import json
from pathlib import Path

import pytest

from app.errors import InvalidRequest
from app.evaluation.quality.askers import preferring, somebody, wish
from app.evaluation.quality.cases import read_cases
from app.profiles.profile import HistoryItem, Preference, Profile, ProfileDocument

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
    assert case.private.profile is not None
    assert case.private.profile.name == "Ann"
    assert dict(case.private.profile.fields) == PERSON["profile"]
    assert [hit.stored.item.title for hit in case.private.history] == ["New"]


def test_an_item_may_say_what_it_answers(tmp_path: Path) -> None:
    history = [{"title": "Old", "text": "a"}, {"title": "New", "text": "b", "request": "Write b."}]
    (case,) = read_cases(written(tmp_path, {**PERSON, "history": history}))
    assert [hit.stored.item.request for hit in case.private.history] == ["Write b.", ""]


def test_a_question_is_a_case_for_each_preference(tmp_path: Path) -> None:
    askers = [wish("concise"), wish("rhymed"), preferring(Preference("Be brief.", "Be long."))]
    cases = read_cases(written(tmp_path, QUESTION, "", PERSON), askers=askers)
    assert [case.id for case in cases] == ["9 concise", "9 rhymed", "9 Be brief. | Be long.", "7"]
    # Nobody is behind it, whose name could be read.
    assert all(case.private.profile is None and case.private.history == () for case in cases[:3])
    concise, rhymed, brief = (case.private.preferences[0] for case in cases[:3])
    assert "as concise as possible" in concise.text and "as verbose as possible" in concise.opposite
    assert "as rhymed as possible" in rhymed.text and not rhymed.opposite
    assert (brief.text, brief.opposite) == ("Be brief.", "Be long.")
    assert cases[0].reference is None


def test_a_question_of_somebody_comes_with_their_newest_history(tmp_path: Path) -> None:
    history = tuple(HistoryItem(title, "text") for title in ("Old", "New"))
    wanted = (Preference("Be brief."),)
    ann = ProfileDocument(Profile("ann", "Ann", (("style", "dry"),), preferences=wanted), history)
    (case,) = read_cases(written(tmp_path, QUESTION), askers=[somebody(ann)], top_k=1)
    assert (case.id, case.private.profile, case.private.preferences) == ("9 ann", ann.profile, wanted)
    assert [hit.stored.item.title for hit in case.private.history] == ["New"]


def test_a_number_is_an_id_and_the_first_lines_can_be_taken(tmp_path: Path) -> None:
    path = written(tmp_path, {**QUESTION, "id": 9}, PERSON)
    assert [case.id for case in read_cases(path, askers=[wish("concise")])] == ["9 concise", "7"]
    assert [case.id for case in read_cases(path, askers=[wish("concise")], limit=1)] == ["9 concise"]


def test_lines_are_chosen_by_their_number_in_the_file(tmp_path: Path) -> None:
    people = [{**PERSON, "id": name} for name in "abcdef"]
    path = written(tmp_path, *people[:2], "", *people[2:])

    def chosen(*lines: range, limit: int | None = None) -> str:
        return "".join(case.id for case in read_cases(path, lines=lines, limit=limit))

    assert chosen(range(2, 5)) == "bc"  # the third line is blank
    assert chosen(range(6, 8), range(1, 2), range(1, 2)) == "aef"
    assert chosen(range(4, 99), limit=2) == "cd"
    assert chosen() == "abcdef"
    with pytest.raises(InvalidRequest, match="none of these lines"):
        chosen(range(8, 20))


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
