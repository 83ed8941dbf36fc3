"""The margin: the distribution is the one that is said to be, greedy is its limit, and round trips go."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chisquare

from app.remote.interface import MIN_TEMPERATURE
from app.steering.formula import FloatArray, log_softmax
from app.steering.margin import nearest, with_margin
from app.steering.sampling import SamplingParams, accept_or_resample, distribution, draw

SEEDS = st.integers(0, 100_000)
PRICES = st.floats(0.0, 5.0)
GREEDY = SamplingParams(temperature=0.0)


def pair(seed: int, *, size: int = 12) -> tuple[FloatArray, FloatArray]:
    """Scores of a draft, which leaves some tokens out, and of a target."""
    rng = np.random.default_rng(seed)
    own, steered = log_softmax(rng.normal(0.0, 2.0, (2, size)))
    own[rng.choice(size, rng.integers(0, 4), replace=False)] = -np.inf
    return own, steered


def probs(seed: int) -> tuple[FloatArray, FloatArray]:
    """The same as probabilities, where the target leaves some out as well."""
    own, steered = pair(seed)
    rng = np.random.default_rng([seed, 1])
    steered[rng.choice(len(steered), rng.integers(0, 4), replace=False)] = -np.inf
    assume(np.isfinite(own).any())
    return np.exp(log_softmax(own)), np.exp(log_softmax(steered))


def cost(e: FloatArray, p: FloatArray, q: FloatArray, price: float) -> float:
    """KL(e || q) + price * TV(e, p), from the definitions; infinite for what q excludes."""
    if e[q == 0].any():
        return float("inf")
    there = e > 0
    return float((e[there] * np.log(e[there] / q[there])).sum() + price * np.abs(e - p).sum() / 2)


@given(SEEDS, PRICES, st.floats(-6, 0))
def test_no_other_distribution_costs_less(seed: int, price: float, far: float) -> None:
    p, q = probs(seed)
    found = nearest(p, q, price)
    least = cost(found, p, q, price)
    rng = np.random.default_rng([seed, 2])
    for other in (p, q, (p + q) / 2, *rng.dirichlet(np.full(len(q), 0.3), 10)):
        allowed = np.where(q > 0, other, 0.0)
        if allowed.sum() > 0:
            step = 10.0**far
            near = (1 - step) * found + step * allowed / allowed.sum()
            assert cost(near, p, q, price) >= least - 1e-12
            assert cost(allowed / allowed.sum(), p, q, price) >= least - 1e-12


@given(SEEDS, PRICES)
def test_it_is_a_distribution_between_both_over_what_the_target_allows(seed: int, price: float) -> None:
    p, q = probs(seed)
    found = nearest(p, q, price)
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(found > 0, q > 0)
    ratios = found[q > 0] / q[q > 0]
    assert ratios.max() <= ratios.min() * np.exp(price) * (1 + 1e-9)


@given(SEEDS)
def test_without_a_margin_it_is_the_target(seed: int) -> None:
    p, q = probs(seed)
    np.testing.assert_allclose(nearest(p, q, 0.0), q, atol=1e-12)
    own, steered = pair(seed)
    for sampling in (GREEDY, SamplingParams(0.7, top_p=0.9)):
        found = with_margin(own, steered, sampling, 0.0)
        np.testing.assert_array_equal(found, distribution(steered, sampling))


@given(SEEDS, PRICES)
def test_where_steering_changes_nothing_the_margin_changes_nothing(seed: int, price: float) -> None:
    _, q = probs(seed)
    np.testing.assert_allclose(nearest(q, q, price), q, atol=1e-12)


@given(SEEDS, PRICES, PRICES)
def test_the_greater_the_margin_the_more_drafts_stay(seed: int, one: float, other: float) -> None:
    p, q = probs(seed)
    stay = [np.minimum(p, nearest(p, q, price)).sum() for price in sorted((0.0, one, other))]
    assert stay == pytest.approx(sorted(stay), abs=1e-12)


@given(SEEDS, st.sampled_from([50.0, 1e5]))
def test_at_any_price_what_the_target_allows_stays(seed: int, price: float) -> None:
    p, q = probs(seed)
    assume(p[q > 0].any())
    found = nearest(p, q, price)
    assert np.isfinite(found).all()
    if not p[q == 0].any():
        np.testing.assert_allclose(found, p, atol=1e-9)
    assert (found >= np.where(q > 0, p, 0.0) - 1e-9).all()


@given(SEEDS, st.floats(0.01, 2.0))
def test_greedy_keeps_the_unsteered_choice_within_the_margin_alone(seed: int, margin: float) -> None:
    own, steered = pair(seed)
    assume(np.isfinite(own).any())
    chosen = int(np.argmax(with_margin(own, steered, GREEDY, margin)))
    kept, best = int(np.argmax(own)), int(np.argmax(steered))
    assert chosen == (kept if steered[best] - steered[kept] <= margin else best)


@given(SEEDS, st.floats(0.01, 2.0))
def test_greedy_is_the_limit_of_a_low_temperature(seed: int, margin: float) -> None:
    own, steered = pair(seed)
    assume(np.isfinite(own).any())
    gap = steered.max() - steered[np.argmax(own)]
    ahead = min(float(np.diff(np.sort(one)[-2:])[0]) for one in (own, steered))
    assume(abs(gap - margin) > 0.1 and ahead > 0.1)
    cold = with_margin(own, steered, SamplingParams(temperature=MIN_TEMPERATURE), margin)
    assert np.argmax(cold) == np.argmax(with_margin(own, steered, GREEDY, margin))
    assert cold.max() > 0.99


@pytest.mark.parametrize("margin", [0.2, 1.0])
@pytest.mark.parametrize("sampling", [SamplingParams(), SamplingParams(0.7, top_p=0.9, min_p=0.02)])
def test_verified_drafts_are_drawn_from_it(sampling: SamplingParams, margin: float) -> None:
    own = np.log(np.array([0.45, 0.25, 0.14, 0.1, 0.06, 0.0]) + 1e-300)
    steered = np.log(np.array([0.2, 0.22, 0.1, 0.04, 0.14, 0.3]))
    p, e = distribution(own, sampling), with_margin(own, steered, sampling, margin)
    rng = np.random.default_rng(20_250_704)
    draws, kept = 20_000, 0
    counts = np.zeros(len(e))
    for _ in range(draws):
        drafted = draw(p, rng)
        chosen = accept_or_resample(drafted, p, e, rng)
        counts[chosen] += 1
        kept += chosen == drafted
    assert not counts[e == 0].any()
    assert chisquare(counts[e > 0], draws * e[e > 0]).pvalue > 0.001
    assert kept / draws == pytest.approx(np.minimum(p, e).sum(), abs=0.02)
    assert kept / draws > np.minimum(p, distribution(steered, sampling)).sum() + 0.01
