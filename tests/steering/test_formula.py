"""Laws of the steered distribution, and its equality with the paper's own iteration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.steering.formula import FTRL, PAPER, FloatArray, log_softmax, smoothed_delta, steer, strength

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

    Some parameters enlarge each step's rounding by the next ones, hence its more precise numbers.
    """
    base, delta = base.astype(np.longdouble), delta.astype(np.longdouble)
    lambda_, inverse_eta = np.longdouble(ftrl.lambda_), 1 / np.longdouble(ftrl.eta)
    player = base
    cumulative = np.zeros_like(base)
    for step in range(1, ftrl.steps + 1):
        cumulative = cumulative + ftrl.alpha * (player - base) + ftrl.beta * delta
        pulled = step * lambda_ * base + cumulative + player * inverse_eta
        player = log_softmax(pulled / (step * lambda_ + inverse_eta))  # type: ignore[arg-type]
    return player


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
