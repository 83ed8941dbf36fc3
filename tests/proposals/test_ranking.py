"""What is proposed of the answers, and in which order."""

from __future__ import annotations

from app.proposals.asking import Answer
from app.proposals.candidates import candidates
from app.proposals.ranking import GAIN, MOST, accepted, proposals
from app.proposals.sentences import Sentence


def answer(text: str, value: str, margin: float = 0.0, gain: float = 20.0, item_id: int = 1) -> Answer:
    (one,) = candidates([Sentence(item_id, text)])
    return Answer(one, one.start + len(value), margin, gain)


def test_an_answer_needs_its_margin_and_a_gain_by_reading() -> None:
    least = answer("I work as a plumber.", "plumber").candidate.field.least
    assert accepted(answer("I work as a plumber.", "plumber", least, GAIN))
    assert not accepted(answer("I work as a plumber.", "plumber", least - 0.1, GAIN))
    assert not accepted(answer("I work as a plumber.", "plumber", least, GAIN - 0.1))
    assert proposals([answer("I work as a plumber.", "plumber", least - 1)]) == []


def test_of_a_field_that_holds_one_value_the_surest_is_proposed() -> None:
    found = proposals([answer("I live in Oslo.", "Oslo", 0.0), answer("I live in Bergen.", "Bergen", 2.0)])
    assert [(one.key, one.value, one.passages) for one in found] == [("location", "Bergen", 1)]


def test_passages_that_agree_make_a_value_surer() -> None:
    alone, twice = (
        [answer("I live in Oslo.", "Oslo"), *more, answer("I live in Bergen.", "Bergen", 0.5)]
        for more in ([], [answer("We moved to Oslo.", "Oslo", item_id=2)])
    )
    assert [one.value for one in proposals(alone)] == ["Bergen"]
    (one,) = proposals(twice)
    assert (one.value, one.passages) == ("Oslo", 2)


def test_a_value_within_another_is_the_same_and_the_longer_one_stays() -> None:
    found = proposals([answer("I enjoy baking.", "baking"), answer("I enjoy baking bread.", "baking bread")])
    assert [(one.value, one.passages) for one in found] == [("baking bread", 2)]


def test_a_field_that_holds_many_is_proposed_so_many_times_and_no_more() -> None:
    things = ("baking", "rowing", "singing", "knitting", "fishing", "cycling", "painting")
    found = proposals([answer(f"I enjoy {one}.", one, float(n)) for n, one in enumerate(things)])
    assert [one.value for one in found] == list(things[::-1][:MOST])


def test_the_value_is_the_marked_part_of_the_passage() -> None:
    (one,) = proposals([answer("I enjoy baking bread on Sundays.", "baking bread")])
    assert one.passage[one.start : one.end] == one.value == "baking bread"
    assert "baking" not in repr(one)
