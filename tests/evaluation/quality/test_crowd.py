"""The people who may have asked: who they are for each reply, and questions that do not tell by whom."""

import json
from collections import Counter
from pathlib import Path

import pytest

from app.errors import InvalidRequest
from app.evaluation.quality.askers import preferring, somebody
from app.evaluation.quality.cases import Case, read_cases, read_people
from app.evaluation.quality.crowd import asker_of, crowd
from app.profiles.profile import HistoryItem, Preference, Profile, ProfileDocument

LINES = [
    {
        "id": f"p{number}",
        "query": f"Question {number}?",
        "profile": {"name": f"Name {number}"},
        "history": [{"title": title, "text": f"{title} of {number}"} for title in ("Old", "New")],
        "reference": "Mine.",
    }
    for number in range(12)
]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    return path


def asked(cases: list[Case]) -> dict[str, str]:
    return {case.messages[0].content: asker_of(case) for case in cases}


def test_the_one_who_asked_is_among_them_and_the_others_are_the_same(people: Path) -> None:
    drawn = read_people(people)
    assert sorted(one.name for one in drawn) == sorted(str(line["id"]) for line in LINES)
    few, all_of_them = (crowd(drawn, size, 5, by_remote=False) for size in (4, 12))
    for case in read_cases(people):
        candidates = few.candidates(case)
        assert candidates[0] == case.id
        assert len({*candidates}) == 4
        assert {*candidates[1:]} <= {one.name for one in drawn[:4]}
        assert {*all_of_them.candidates(case)} == {one.name for one in drawn}


def test_what_is_read_of_somebody_is_the_newest(people: Path) -> None:
    read = crowd(read_people(people), 3, 1, by_remote=False).people
    assert [hit.stored.item.text for hit in read["p7"].history] == ["New of 7"]


def test_the_draw_is_the_same_each_time_whatever_lines_are_taken(people: Path) -> None:
    drawn = read_people(people)
    assert [one.name for one in drawn] == [one.name for one in read_people(people)]
    every = read_cases(people, drawn=drawn[:4])
    assert read_cases(people, drawn=drawn[:4], lines=[range(5, 8)]) == every[4:7]
    assert len({case.id for case in every}) == len(every)


def test_who_asks_a_drawn_question_is_anybody_of_those(people: Path) -> None:
    drawn = read_people(people)
    people.write_text("".join(f"{json.dumps({**LINES[0], 'id': str(n)})}\n" for n in range(600)))
    cases = read_cases(people, drawn=drawn[:3])
    counts = Counter(map(asker_of, cases))
    assert {*counts} == {one.name for one in drawn[:3]}
    assert min(counts.values()) > 150  # 200 each, and a standard deviation of 12
    # What somebody else once wrote says nothing of the reply.
    assert {case.reference for case in cases} == {None}
    assert [hit.stored.item.text for hit in cases[0].private.history]


def test_questions_of_nobody_are_drawn_for_the_people_who_are_given(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(f"{json.dumps({'id': n, 'query': f'Is it {n}?'})}\n" for n in range(20)))
    history = (HistoryItem("Note", "text"),)
    askers = [somebody(ProfileDocument(Profile(name, name), history)) for name in ("ann", "bob")]
    drawn = read_people(path, askers)
    cases = read_cases(path, askers=askers, drawn=drawn)
    assert len(cases) == 20
    assert {*asked(cases).values()} == {"ann", "bob"}


def test_more_people_than_there_are_cannot_be_had(people: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"--attack 13: there are 12 people"):
        crowd(read_people(people), 13, 5, by_remote=False)


def test_a_question_of_nobody_in_particular_is_not_attacked(people: Path) -> None:
    found = crowd(read_people(people), 2, 5, by_remote=False)
    people.write_text(json.dumps({"id": "q", "query": "Is it?"}))
    (case,) = read_cases(people, askers=[preferring(Preference("Be brief."))])
    with pytest.raises(InvalidRequest, match="somebody's"):
        found.candidates(case)
