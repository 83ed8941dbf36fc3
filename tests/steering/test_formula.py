"""Laws of the steered distribution, and its equality with the paper's own iteration."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.steering.formula import (
    FTRL,
    PAPER,
    FloatArray,
    log_softmax,
    smoothed_delta,
    steer,
    steered_logprobs,
    strength,
)
from app.steering.strength import AUTO, Strength

logits = arrays(np.float64, st.shared(st.integers(2, 40), key="k"), elements=st.floats(-30, 30))
ftrls = st.builds(
    FTRL,
    steps=st.integers(1, 40),
    alpha=st.floats(0, 4),
    beta=st.floats(0, 3),
    lambda_=st.floats(0.1, 5),
    eta=st.floats(0.1, 50),
)


def iterate(base: FloatArray, delta: FloatArray, ftrl: FTRL) -> FloatArray:
    """The paper's update, step by step over the whole vocabulary: the oracle.

    Some parameters enlarge each step's rounding by the next ones, hence its more precise numbers, and what is
    followed is how far the player is from the remote: `pulled` without what is the remote's own in it.
    """
    base, delta = base.astype(np.longdouble), delta.astype(np.longdouble)
    lambda_, inverse_eta = np.longdouble(ftrl.lambda_), 1 / np.longdouble(ftrl.eta)
    moved = np.zeros_like(base)
    cumulative = np.zeros_like(base)
    for step in range(1, ftrl.steps + 1):
        cumulative = cumulative + ftrl.alpha * moved + ftrl.beta * delta
        pulled = (cumulative + moved * inverse_eta) / (step * lambda_ + inverse_eta)
        moved = pulled - np.logaddexp.reduce(base + pulled)
    return base + moved


def test_the_papers_numbers_amount_to_this_strength() -> None:
    assert strength() == strength(PAPER) == 1.7832568430850784


@given(logits, logits, logits, ftrls)
def test_the_closed_form_equals_the_papers_iteration(
    remote: FloatArray, aware: FloatArray, agnostic: FloatArray, ftrl: FTRL
) -> None:
    base = log_softmax(remote)
    delta = log_softmax(aware) - log_softmax(agnostic)
    expected = iterate(base, delta, ftrl)
    # A sum loses what is small beside its largest term, so that sets the scale.
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(steer(base, delta, strength(ftrl)), expected, rtol=0, atol=1e-9 * scale)


@given(logits, logits)
def test_strength_zero_is_the_remote(remote: FloatArray, delta: FloatArray) -> None:
    np.testing.assert_allclose(steer(log_softmax(remote), delta, 0.0), log_softmax(remote), atol=1e-12)


@given(logits, logits, st.floats(-20, 20), st.floats(0, 4))
def test_a_constant_in_the_delta_changes_nothing(
    remote: FloatArray, delta: FloatArray, constant: float, c: float
) -> None:
    np.testing.assert_allclose(steer(remote, delta + constant, c), steer(remote, delta, c), atol=1e-9)


@given(logits, logits, st.floats(0.1, 4))
def test_the_favoured_token_gains_against_every_other(
    remote: FloatArray, delta: FloatArray, c: float
) -> None:
    gain = steer(remote, delta, c) - log_softmax(remote)
    assert gain[np.argmax(delta)] == pytest.approx(gain.max(), abs=1e-9)


@given(logits)
def test_log_softmax_is_a_distribution(values: FloatArray) -> None:
    assert np.exp(log_softmax(values)).sum() == pytest.approx(1.0)


def test_log_softmax_keeps_what_is_excluded() -> None:
    result = log_softmax(np.array([0.0, -np.inf, 0.0]))
    assert result[1] == -np.inf
    assert np.exp(result).sum() == pytest.approx(1.0)


@given(logits, logits, logits, st.floats(1e-3, 10))
def test_a_smoothed_delta_has_the_sign_of_the_whole_one_and_is_no_greater(
    remote: FloatArray, aware: FloatArray, agnostic: FloatArray, share: float
) -> None:
    base, local = log_softmax(remote), np.stack((log_softmax(aware), log_softmax(agnostic)))
    whole, part = local[0] - local[1], smoothed_delta(base, local, share)
    assert (part * whole >= -1e-12).all()
    assert (np.abs(part) <= np.abs(whole) + 1e-9).all()


@given(logits, logits, logits)
def test_without_smoothing_it_is_the_whole_one(
    remote: FloatArray, aware: FloatArray, agnostic: FloatArray
) -> None:
    base, local = log_softmax(remote), np.stack((log_softmax(aware), log_softmax(agnostic)))
    np.testing.assert_allclose(smoothed_delta(base, local, 1e-200), local[0] - local[1], atol=1e-9)


@given(logits, logits, st.floats(1e-3, 10))
def test_smoothed_with_itself_the_remote_becomes_what_the_local_model_says_as_far_as_it_says_more(
    remote: FloatArray, aware: FloatArray, share: float
) -> None:
    """With one model in both roles, strength 1 gives its distribution with the context, and `share` of that
    without: Bayes' rule, interpolated."""
    base, told = log_softmax(remote), log_softmax(aware)
    steered = steer(base, smoothed_delta(base, np.stack((told, base)), share), 1.0)
    np.testing.assert_allclose(
        np.exp(steered), (np.exp(told) + share * np.exp(base)) / (1 + share), atol=1e-9
    )


@given(st.integers(0, 10_000), st.floats(0.0, 3.0), st.floats(0.05, 1.0))
def test_auto_is_what_it_is_said_to_stand_for(seed: int, c: float, share: float) -> None:
    remote, *local = log_softmax(np.random.default_rng(seed).normal(0.0, 2.0, (3, 12)))
    both = np.stack(local)
    found, delta = steered_logprobs(remote, both[np.newaxis], AUTO, auto_strength=c, auto_smoothing=share)
    np.testing.assert_allclose(delta, smoothed_delta(remote, both, share))
    np.testing.assert_allclose(found, steer(remote, delta, c))
    plain, own = steered_logprobs(remote, both[np.newaxis], c, auto_strength=9.0, auto_smoothing=share)
    np.testing.assert_allclose(plain, steer(remote, own, c))
    np.testing.assert_allclose(own, both[0] - both[1])


# Several contrasts


def distributions(seed: int, contrasts: int) -> tuple[FloatArray, FloatArray]:
    """The remote's [K], and the local model's [contrasts, 2, K]."""
    remote, *local = log_softmax(np.random.default_rng(seed).normal(0.0, 2.0, (1 + 2 * contrasts, 12)))
    return remote, np.array(local).reshape(contrasts, 2, 12)


SEEDS, STRENGTHS, WEIGHTS = st.integers(0, 10_000), st.floats(0.0, 3.0) | st.just(AUTO), st.floats(0.0, 3.0)


@given(SEEDS, STRENGTHS, st.lists(WEIGHTS, min_size=1, max_size=4))
def test_contrasts_add_up_each_times_its_weight(seed: int, c: Strength, weights: list[float]) -> None:
    remote, local = distributions(seed, len(weights))
    found, delta = steered_logprobs(remote, local, c, weights)
    each = [steered_logprobs(remote, one[np.newaxis], c)[1] for one in local]
    np.testing.assert_allclose(delta, np.tensordot(weights, each, 1), atol=1e-9)
    np.testing.assert_allclose(found, steer(remote, delta, 1.0 if c == AUTO else c), atol=1e-9)


@given(SEEDS, STRENGTHS, st.lists(WEIGHTS, min_size=2, max_size=4), st.randoms())
def test_their_order_changes_nothing(seed: int, c: Strength, weights: list[float], random: Random) -> None:
    remote, local = distributions(seed, len(weights))
    order = random.sample(range(len(weights)), len(weights))
    found, delta = steered_logprobs(remote, local, c, weights)
    again, moved = steered_logprobs(remote, local[order], c, [weights[one] for one in order])
    np.testing.assert_allclose(moved, delta, atol=1e-9)
    np.testing.assert_allclose(again, found, atol=1e-9)


@given(SEEDS, st.floats(0.0, 3.0), WEIGHTS)
def test_one_of_a_weight_steers_as_the_strength_times_the_weight(seed: int, c: float, weight: float) -> None:
    remote, local = distributions(seed, 1)
    weighed, _ = steered_logprobs(remote, local, c, [weight])
    np.testing.assert_allclose(weighed, steered_logprobs(remote, local, c * weight)[0], atol=1e-9)
    by_auto, _ = steered_logprobs(remote, local, AUTO, [weight], auto_strength=c)
    stronger, _ = steered_logprobs(remote, local, AUTO, auto_strength=c * weight)
    np.testing.assert_allclose(by_auto, stronger, atol=1e-9)


@given(SEEDS, STRENGTHS, WEIGHTS)
def test_one_of_two_alike_prompts_changes_nothing(seed: int, c: Strength, weight: float) -> None:
    remote, local = distributions(seed, 2)
    local[1, 1] = local[1, 0]
    both, _ = steered_logprobs(remote, local, c, [1.0, weight])
    np.testing.assert_allclose(both, steered_logprobs(remote, local[:1], c)[0], atol=1e-9)


@pytest.mark.parametrize(("contrasts", "weights"), [(1, [1.0, 1.0]), (2, [1.0]), (2, [])])
def test_each_contrast_has_a_weight(contrasts: int, weights: list[float]) -> None:
    remote, local = distributions(1, contrasts)
    with pytest.raises(ValueError, match="argument"):
        steered_logprobs(remote, local, 1.0, weights)
