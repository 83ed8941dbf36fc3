"""Sampling on distributions of a few tokens: each filter alone, and the law of speculative acceptance."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chisquare

from app.steering.formula import FloatArray
from app.steering.sampling import (
    SamplingParams,
    TokenCounts,
    accept_or_resample,
    distribution,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalise,
)

DRAWS = 20_000
FOUR = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
IDS = np.array([7, 11, 13, 17])


def kept(logprobs: FloatArray) -> list[int]:
    return np.flatnonzero(np.isfinite(logprobs)).tolist()


@pytest.mark.parametrize(("top_k", "expected"), [(0, 4), (1, 1), (2, 2), (4, 4), (9, 4)])
def test_top_k_keeps_the_likeliest(top_k: int, expected: int) -> None:
    assert kept(keep_top_k(FOUR, top_k)) == list(range(expected))


def test_top_k_keeps_ties_with_the_last() -> None:
    assert kept(keep_top_k(np.log(np.array([0.4, 0.2, 0.2, 0.2])), 2)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("top_p", "expected"), [(1.0, 4), (0.96, 4), (0.9, 3), (0.5, 1), (0.51, 2), (0.01, 1)]
)
def test_top_p_keeps_the_smallest_set_with_that_mass(top_p: float, expected: int) -> None:
    assert kept(keep_top_p(FOUR, top_p)) == list(range(expected))


def test_top_p_goes_by_likelihood_not_by_position() -> None:
    assert kept(keep_top_p(FOUR[::-1], 0.7)) == [2, 3]


@pytest.mark.parametrize(("min_p", "expected"), [(0.0, 4), (0.2, 3), (0.5, 2), (1.0, 1)])
def test_min_p_is_relative_to_the_likeliest(min_p: float, expected: int) -> None:
    assert kept(keep_min_p(FOUR, min_p)) == list(range(expected))


def test_temperature_sharpens_and_flattens() -> None:
    cold, hot = (distribution(FOUR, SamplingParams(temperature=t)) for t in (0.5, 2.0))
    np.testing.assert_allclose(cold, np.exp(FOUR) ** 2 / (np.exp(FOUR) ** 2).sum())
    assert cold[0] > np.exp(FOUR)[0] > hot[0]


def test_greedy_is_the_first_of_the_likeliest() -> None:
    assert distribution(np.array([-1.0, -0.5, -0.5]), SamplingParams(temperature=0)).tolist() == [0, 1, 0]


@given(
    arrays(np.float64, st.integers(1, 30), elements=st.floats(-20, 0)),
    st.builds(
        SamplingParams,
        temperature=st.floats(0.01, 2),
        top_p=st.floats(0.01, 1),
        top_k=st.integers(0, 40),
        min_p=st.floats(0, 1),
    ),
)
def test_whatever_is_dropped_a_distribution_remains(logprobs: FloatArray, sampling: SamplingParams) -> None:
    probs = distribution(logprobs, sampling)
    assert probs.sum() == pytest.approx(1.0)
    assert probs[np.argmax(logprobs)] > 0


def test_penalties_act_on_what_was_generated() -> None:
    seen = TokenCounts(prompt=frozenset({13}))
    for token in (7, 7, 11):
        seen.add(token)
    change = penalise(FOUR, IDS, SamplingParams(frequency_penalty=0.5, presence_penalty=1.0), seen) - FOUR
    np.testing.assert_allclose(change, [-2.0, -1.5, 0.0, 0.0])


def test_repetition_penalty_counts_the_prompt_too() -> None:
    seen = TokenCounts(prompt=frozenset({13}), counts={7: 1})
    ratio = penalise(FOUR, IDS, SamplingParams(repetition_penalty=1.5), seen) / FOUR
    np.testing.assert_allclose(ratio, [1.5, 1.0, 1.5, 1.0])


def test_logit_bias_bans_and_favours() -> None:
    biased = penalise(FOUR, IDS, SamplingParams(logit_bias={7: -100.0, 17: 5.0, 99: 100.0}), TokenCounts())
    assert np.argmax(biased) == 3
    assert distribution(biased, SamplingParams())[0] == pytest.approx(0.0, abs=1e-30)


def test_what_is_not_allowed_has_no_mass() -> None:
    allowed = SamplingParams(allowed_token_ids=(int(IDS[1]), int(IDS[3]), 99))
    probabilities = distribution(penalise(FOUR, IDS, allowed, TokenCounts()), allowed)
    assert (probabilities > 0).tolist() == [False, True, False, True]


def test_neutral_settings_change_nothing() -> None:
    assert penalise(FOUR, IDS, SamplingParams(), TokenCounts(counts={7: 3})) is FOUR
    np.testing.assert_allclose(distribution(FOUR, SamplingParams()), np.exp(FOUR))


def test_draw_never_takes_what_has_no_mass() -> None:
    rng = np.random.default_rng(0)
    assert {draw(np.array([0.0, 0.4, 0.0, 0.6, 0.0]), rng) for _ in range(500)} == {1, 3}


PAIRS = {
    "steered": ([0.5, 0.3, 0.15, 0.05], [0.1, 0.3, 0.2, 0.4]),
    "truncated": ([0.6, 0.4, 0.0, 0.0], [0.3, 0.0, 0.5, 0.2]),
    "disjoint": ([1.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.25, 0.25]),
    "equal": ([0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]),
    "greedy draft": ([0.0, 1.0, 0.0, 0.0], [0.7, 0.1, 0.1, 0.1]),
}


def p_value(p: FloatArray, q: FloatArray, rule: Callable[..., int]) -> float:
    """The chance of so bad a fit if tokens are distributed as `q`; 0 if one is drawn that q excludes."""
    rng = np.random.default_rng(20_250_704)
    counts = np.zeros(len(q))
    for _ in range(DRAWS):
        counts[rule(draw(p, rng), p, q, rng)] += 1
    if counts[q == 0].any():
        return 0.0
    return float(chisquare(counts[q > 0], DRAWS * q[q > 0]).pvalue)


@pytest.mark.parametrize("name", PAIRS)
def test_speculative_acceptance_draws_from_the_target(name: str) -> None:
    p, q = (np.array(side) for side in PAIRS[name])
    assert p_value(p, q, accept_or_resample) > 0.001


def test_the_fit_would_notice_a_rule_that_always_accepts() -> None:
    p, q = (np.array(side) for side in PAIRS["steered"])
    assert p_value(p, q, lambda drafted, *_: drafted) < 0.001


def test_an_equal_target_keeps_every_draft() -> None:
    rng = np.random.default_rng(1)
    p = np.array(PAIRS["equal"][0])
    assert all(accept_or_resample(i % 4, p, p, rng) == i % 4 for i in range(1000))


def test_a_draft_that_both_sides_exclude_is_replaced() -> None:
    # Where float32 on the remote and float64 here disagree on the last token that top_p keeps.
    p = np.array([0.5, 0.5, 0.0])
    rng = np.random.default_rng(2)
    assert {accept_or_resample(2, p, p, rng) for _ in range(100)} == {0, 1}


def test_a_draft_that_is_no_candidate_is_replaced_by_the_target() -> None:
    """With a grammar the draft has the rest of its probability on tokens that are not allowed."""
    whole, q = np.array([0.5, 0.2, 0.3]), np.array([0.0, 0.9, 0.1])
    rng, counts = np.random.default_rng(3), np.zeros(3)
    for _ in range(4000):
        drafted = int(rng.choice(3, p=whole))
        chosen = accept_or_resample(drafted - 1 if drafted else None, whole[1:], q[1:], rng)
        counts[chosen + 1] += 1
    assert chisquare(counts[1:], 4000 * q[1:]).pvalue > 0.001
