"""What attacks come to: figures that can be worked out by hand."""

from dataclasses import replace

import numpy as np
import orjson
import pytest

from app.cli.terminal import write_json
from app.evaluation.quality.crowd import Crowd
from app.evaluation.quality.grids import grids
from app.evaluation.quality.identified import identified
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.rules import REMOTE_ALONE
from app.evaluation.quality.scored import LENGTHS, Scored, after, cumulative
from app.evaluation.quality.summary import summarise
from evaluation.quality.examples import CASES, planned

PEOPLE = {case.id: case.private for case in CASES}
NAMES = [system.name for system in planned().systems]


def attacked(size: int = 3) -> Plan:
    return replace(planned(), crowd=Crowd(PEOPLE, size))


def scored(case: str, system: str, candidate: str, *black: float, white: float = 0.0) -> Scored:
    steered = case == candidate and system not in (REMOTE_ALONE,)
    whites = [white] * len(black)
    return Scored(case, system, candidate, 40, [*black], whites, 3.0 if steered else None)


def every(*black: float) -> list[Scored]:
    """The right one of each reply has these scores, and all others 0."""
    return [
        scored(case, name, one, *(black if one == case else (0.0,) * len(black)))
        for case in PEOPLE
        for name in NAMES
        for one in PEOPLE
    ]


def test_the_right_one_is_found_or_is_not() -> None:
    for score, first, rank in ((1.0, 1.0, 1.0), (0.0, 1 / 3, 2.0), (-1.0, 0.0, 3.0)):
        for one in identified(attacked(), every(score)):
            assert (one.replies, one.candidates) == (3, 3)
            assert one.black.first[3].value == pytest.approx(first)
            assert one.black.rank.value == rank
            assert one.white.first[3].value == pytest.approx(1 / 3)  # all the same: chance
            assert one.white.first[2].value == pytest.approx(1 / 2)


def test_a_reply_tells_more_by_and_by() -> None:
    (one, *_) = identified(attacked(), every(-1.0, -1.0, 0.0, 2.0))  # after 8, 16, 32 tokens and at the end
    by_length = {length: found.value for length, found in one.black.by_length.items()}
    assert by_length == pytest.approx({16: 0.0, 32: 1 / 3})
    assert one.black.first[3].value == 1.0


def test_a_shorter_reply_stays_as_it_ended() -> None:
    ends = cumulative(np.full(20, -1.0))
    assert ends == [-8.0, -16.0, -20.0]
    assert [after(ends, length) for length in LENGTHS] == [-8.0, -16.0, -20.0, -20.0, -20.0, -20.0]


def test_nats_are_those_of_the_right_ones_alone() -> None:
    found = {one.system: one.nats for one in identified(attacked(), every(1.0))}
    assert found[REMOTE_ALONE] is None
    auto = found["auto"]
    assert auto is not None and auto.value == 3.0


def test_systems_are_compared_on_replies_that_every_candidate_was_tried_for() -> None:
    last = NAMES[-1]
    some = [one for one in every(1.0) if one.key != ("b", last, "c")]
    assert {one.replies for one in identified(attacked(), some)} == {2}
    assert identified(attacked(), [one for one in every(1.0) if one.candidate != "c"]) == []
    assert identified(planned(), every(1.0)) == []


def test_tables_have_chance_beside_what_was_found() -> None:
    summary = summarise(attacked(), [], [], every(1.0, 1.0, 1.0))
    black, white = grids(summary)
    assert black.title == "Black box attack: 3 replies of each system, 3 people"
    for grid in (black, white):
        assert grid.columns == ("system", "of 2, %", "of 3, %", "rank", "first 16, %", "nats")
        assert all(len(row) == len(grid.columns) for row in grid.rows)
        assert grid.rows[-1] == ("chance", "50", "33", "2.0", "33", "")
    assert black.rows[0][:2] == (REMOTE_ALONE, "100 (44 to 100)")


def test_programs_can_have_the_figures(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_json(vars(summarise(attacked(), [], [], every(1.0))))
    found = orjson.loads(capfdbinary.readouterr().out)["identified"]
    assert found[0]["black"]["first"]["3"]["value"] == 1.0
