"""Where the right candidate stands, and how often it wins among fewer: exactly what all draws say."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.quality.ranking import Place, place

SCORES = st.lists(st.integers(0, 4), min_size=2, max_size=8)


def won(scores: Sequence[float], right: int) -> float:
    """How often the right one is taken, of those with the greatest score each as often as another."""
    best = max(scores)
    return float(scores[right] == best) / scores.count(best)


@given(SCORES, st.data())
def test_it_is_the_share_of_all_draws(scores: list[float], data: st.DataObject) -> None:
    right, *others = scores
    count = data.draw(st.integers(1, len(scores)))
    draws = [won([right, *drawn], 0) for drawn in combinations(others, count - 1)]
    found = place(right, others).first_among(count)
    assert found == pytest.approx(sum(draws) / len(draws))


@given(SCORES)
def test_one_of_all_candidates_is_taken(scores: list[float]) -> None:
    places = [place(one, [*scores[:at], *scores[at + 1 :]]) for at, one in enumerate(scores)]
    assert sum(one.first_among(len(scores)) for one in places) == pytest.approx(1.0)
    assert sum(one.rank for one in places) == sum(range(1, len(scores) + 1))


def test_an_attacker_who_knows_nothing_is_at_chance() -> None:
    nothing = place(-3.5, [-3.5] * 49)
    assert [nothing.first_among(count) for count in (2, 10, 50)] == pytest.approx([1 / 2, 1 / 10, 1 / 50])
    assert nothing.rank == 25.5


def test_a_better_one_wins_whenever_it_is_drawn() -> None:
    found = place(2.0, [3.0, 1.0, 1.0])
    assert found == Place(1, 0, 2)
    assert found.rank == 2.0
    assert [found.first_among(count) for count in (1, 2, 3, 4)] == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])
