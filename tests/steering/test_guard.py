"""The guard: a held token is never likelier by steering; a placeholder gets what its value would have."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.steering.formula import FloatArray, log_softmax, steer
from app.steering.guard import (
    NOTHING,
    BoolArray,
    held_probabilities,
    held_scores,
    with_placeholders,
    without_help,
)
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams, distribution

SEEDS = st.integers(0, 100_000)
MARGINS = st.just(0.0) | st.floats(0.0, 3.0)
SAMPLINGS = st.builds(
    SamplingParams,
    temperature=st.floats(0.05, 2.0),
    top_p=st.floats(0.1, 1.0),
    top_k=st.integers(0, 12),
    min_p=st.floats(0.0, 0.3),
)
GREEDY = SamplingParams(temperature=0.0)


def case(seed: int, *, size: int = 12, share: float = 0.5) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Scores without steering, a local_delta, and what is held; the last two tokens are not listed."""
    rng = np.random.default_rng(seed)
    own = log_softmax(rng.normal(0.0, 2.0, size))
    own[-2:] = -np.inf
    return own, rng.normal(0.0, 3.0, size), rng.random(size) < share


def steered(own: FloatArray, delta: FloatArray, held: BoolArray) -> FloatArray:
    remote = np.where(np.isfinite(own), own, own[np.isfinite(own)].min() - 1)
    return steer(remote, without_help(delta, held), 1.0)


@given(SEEDS, SAMPLINGS, MARGINS)
def test_a_held_token_is_no_likelier_than_without_steering(
    seed: int, sampling: SamplingParams, margin: float
) -> None:
    own, delta, held = case(seed)
    found = with_margin(own, steered(own, delta, held), sampling, margin, held)
    np.testing.assert_allclose(found.sum(), 1.0, atol=1e-9)
    assert (found >= 0).all()
    assert (found[held] <= distribution(own, sampling)[held] + 1e-9).all()


@given(SEEDS, MARGINS)
def test_greedily_a_held_token_is_chosen_only_where_it_is_the_remotes_own_choice(
    seed: int, margin: float
) -> None:
    own, delta, held = case(seed)
    chosen = int(np.argmax(with_margin(own, steered(own, delta, held), GREEDY, margin, held)))
    assert not held[chosen] or chosen == int(np.argmax(own))


@given(SEEDS, SAMPLINGS)
def test_where_all_is_held_the_reply_is_the_remotes_own(seed: int, sampling: SamplingParams) -> None:
    own, delta, _ = case(seed)
    held = np.ones(len(own), bool)
    for one in (sampling, GREEDY):
        found = with_margin(own, steered(own, delta, held), one, 0.0, held)
        np.testing.assert_allclose(found, distribution(own, one), atol=1e-9)


@given(SEEDS, SAMPLINGS, MARGINS)
def test_where_nothing_is_held_the_guard_changes_nothing(
    seed: int, sampling: SamplingParams, margin: float
) -> None:
    own, delta, _ = case(seed)
    held = np.zeros(len(own), bool)
    scores = steered(own, delta, held)
    for one in (sampling, GREEDY):
        with_guard = with_margin(own, scores, one, margin, held)
        np.testing.assert_allclose(with_guard, with_margin(own, scores, one, margin), atol=1e-9)


@given(SEEDS)
def test_what_is_not_held_shares_the_rest_in_proportion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(8), 2)
    held = rng.random(8) < 0.5
    found = held_probabilities(p, q, held)
    np.testing.assert_allclose(found.sum(), 1.0)
    if not held.all():
        ratios = found[~held] / q[~held]
        np.testing.assert_allclose(ratios, ratios[0])
        assert ratios[0] >= 1.0 - 1e-12


@given(SEEDS)
def test_a_placeholder_has_what_steering_adds_to_its_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(8), 2)
    fills = rng.integers(NOTHING, 3, 8)
    found = with_placeholders(p, q, fills, 3)
    np.testing.assert_allclose(found.sum(), 1.0)
    others = fills == NOTHING
    np.testing.assert_array_equal(found[:8][others], q[others])
    assert (found[:8][~others] <= p[~others] + 1e-12).all()
    for placeholder in range(3):
        mine = fills == placeholder
        total = found[:8][mine].sum() + found[8 + placeholder]
        np.testing.assert_allclose(total, q[mine].sum())


def test_help_is_taken_and_harm_is_left() -> None:
    delta = np.array([2.0, 2.0, -1.0, -1.0])
    held = np.array([True, False, True, False])
    assert without_help(delta, held).tolist() == [0.0, 2.0, -1.0, -1.0]


def test_a_held_choice_gives_way_to_the_best_that_is_free() -> None:
    own, scores = np.log([0.6, 0.3, 0.1]), np.log([0.2, 0.5, 0.3])
    assert held_scores(own, scores, np.array([False, True, False])).tolist() == [
        np.log(0.2),
        -np.inf,
        np.log(0.3),
    ]
    assert held_scores(own, scores, np.array([True, True, False])).tolist() == [
        np.log(0.2),
        -np.inf,
        np.log(0.3),
    ]
