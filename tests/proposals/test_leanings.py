"""When a word fits a person's texts better than ordinary ones."""

from __future__ import annotations

import pytest

from app.proposals.leanings import LEANINGS, ORDINARY, weighed


def test_a_gain_above_chance_holds_and_names_its_best_text() -> None:
    found = weighed([3.0, 3.5, 2.5], [0.0, 0.5, -0.5])
    assert found.gain == pytest.approx(3.0)
    assert found.best == 1
    assert found.holds(1.0)
    assert not found.holds(3.1)
    assert found.confidence > 0.99


def test_one_text_that_stands_out_is_chance() -> None:
    found = weighed([9.0, 0.0, 0.0], [0.0, 0.0, 0.1])
    assert not found.holds(1.0)
    assert found.confidence < 0.95


def test_texts_like_ordinary_ones_lean_nowhere() -> None:
    assert not weighed([0.1, -0.1, 0.0], [0.1, -0.1, 0.0]).holds(0.0)
    assert not weighed([5.0], [0.0, 0.0]).holds(0.0)


def test_the_catalogue_says_each_thing_once() -> None:
    assert len({one.text for one in LEANINGS}) == len(LEANINGS)
    assert all(one.text != one.opposite and one.is_ != one.is_not for one in LEANINGS)
    assert len(set(ORDINARY)) == len(ORDINARY)
