"""Laws of the steered distribution, and its equality with the paper's own iteration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.steering import FTRL, PAPER, FloatArray, log_softmax, steer, strength

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
    np.testing.assert_allclose(
        steer(base, delta, strength(ftrl)), iterate(base, delta, ftrl), rtol=1e-9, atol=1e-9
    )


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
