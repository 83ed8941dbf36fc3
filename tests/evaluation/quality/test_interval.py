"""Confidence intervals: they hold what they promise, and compare rules on the same cases."""

import numpy as np

from app.evaluation.quality.interval import ratio, wilson


def test_it_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for number in range(200):
        tokens = rng.integers(50, 160, 40)
        sums = tokens * rng.normal(3.0, 0.5, 40)
        found = ratio(sums, tokens, seed=number)
        held += found.low <= 3.0 <= found.high
        assert found.low <= found.value <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_what_makes_a_case_hard_for_both_does_not_count() -> None:
    rng = np.random.default_rng(1)
    tokens = np.full(30, 100.0)
    hard = rng.normal(300.0, 80.0, 30)
    gained = ratio(hard - (hard - 5.0), tokens)
    np.testing.assert_allclose([gained.value, gained.low, gained.high], 0.05)


def test_the_same_cases_give_the_same_interval() -> None:
    assert ratio([1.0, 2.0, 4.0], [1, 1, 1]) == ratio([1.0, 2.0, 4.0], [1, 1, 1])


def test_wilsons_interval_is_the_published_one() -> None:
    for successes, of, low, high in ((0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (40, 40, 0.9124, 1.0)):
        found = wilson(successes, of)
        assert found.value == successes / of
        np.testing.assert_allclose([found.low, found.high], [low, high], atol=1e-4)


def test_wilsons_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    found = [wilson(float(rng.binomial(40, 0.1)), 40) for _ in range(500)]
    assert 0.92 <= np.mean([one.low <= 0.1 <= one.high for one in found]) <= 0.99
