"""What texts have in common, by counting."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.profiles.profile_file import parse_profile
from app.profiles.shipped import sample_profiles
from app.proposals.habits import habits
from app.proposals.proposal import Proposal
from app.proposals.sentences import clean

LONG = "The bus came at nine and we all went to the town to see what there was to be seen on that day. " * 3


def said(*texts: str) -> dict[str, Proposal]:
    return {one.value: one for one in habits(list(enumerate(texts, 1)))}


def of_sample(name: str) -> set[str]:
    (path,) = [one for one in sample_profiles() if one.stem == name]
    document = parse_profile(path.read_bytes(), path.name, "toml")
    return set(said(*(clean(item.text) for item in document.history)))


def test_the_samples_write_as_their_profiles_say() -> None:
    ingrid, walter, isabel = map(of_sample, ("ingrid", "walter", "isabel"))
    assert {"Use no exclamation marks.", "Number the points.", "Write short sentences."} <= ingrid
    assert {
        "Mind how you go. Your loving Grandad",
        "Begin with a greeting.",
        "End with a question.",
    } <= walter
    assert "Warmly, Isabel" in isabel
    assert not {"Number the points.", "End with a question.", "Begin with a greeting."} & isabel


@pytest.mark.parametrize(
    ("habit", "mark"),
    [
        ("Use exclamation marks.", "!"),
        ("Use emoji.", "\U0001f600"),
        ("Use hashtags.", "#winter"),
        ("Number the points.", "1. "),
        ("List points with bullets.", "- "),
    ],
)
def test_a_habit_needs_most_texts(habit: str, mark: str) -> None:
    having = f"{mark}{LONG}" if mark.endswith(" ") else f"{LONG} Good {mark}"
    assert habit in said(having, having, having, LONG)
    assert habit not in said(having, LONG, LONG, LONG)
    assert habit not in said(having, having)  # too few to tell


def test_the_spelling_is_the_one_that_nearly_all_words_have() -> None:
    british = ["The colour of the harbour.", "My neighbour is grey."]
    assert said(*british)["Use British spelling."].opposite == "Use American spelling."
    assert "Use American spelling." in said("The color of the harbor.", "My neighbor is gray.")
    assert said(*british, "The color of the harbor.") == {}


def test_the_longest_formula_that_all_have_signs() -> None:
    one = said("Hello there.\n\nWarmly,\nAnna", "Well then.\n\nWarmly, Anna", "Nothing.")["Warmly, Anna"]
    assert (one.kind, one.key, one.passages) == ("field", "signs_off", 2)


def test_blank_and_no_texts_have_no_habits() -> None:
    assert said() == {}
    assert said("", "\n", " ") == {}


def test_a_text_without_a_sentence_says_nothing_of_a_habit() -> None:
    quoted = "> What somebody else wrote!\n" * 40
    assert said(quoted, quoted, quoted, "- \n1. \n") == {}
    assert said(quoted, LONG, LONG, LONG)["Use no exclamation marks."].passages == 3


@given(st.lists(st.text(max_size=200).map(clean), max_size=6))
@example([":\nAA"])
def test_what_is_marked_is_part_of_the_passage(texts: list[str]) -> None:
    for one in habits(list(enumerate(texts))):
        assert 0 <= one.start <= one.end <= len(one.passage) <= 600
        assert one.kind == "preference" or one.passage[one.start : one.end] == one.value
        assert 0 <= one.confidence <= 1
        assert "\n" not in one.passage
