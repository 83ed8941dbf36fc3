"""What a pass costs, learnt from passes; and how many drafted tokens it pays to score in one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.local.engine.pass_cost import PassCost, worth_scoring, worth_waiting


def test_a_straight_line_is_learnt_through_noise_and_a_change_of_it_as_well() -> None:
    rng = np.random.default_rng(0)
    cost = PassCost()
    for base, slope in [(0.02, 0.001), (0.1, 0.004)]:
        for _ in range(300):
            tokens = int(rng.integers(1, 200))
            cost.observe(tokens, (base + slope * tokens) * rng.uniform(0.95, 1.05))
        assert cost.seconds(1) == pytest.approx(base + slope, rel=0.2)
        assert cost.seconds(150) == pytest.approx(base + slope * 150, rel=0.1)


def test_a_prompt_s_pass_does_not_make_the_next_ones_seem_free_or_dear() -> None:
    """The curve of a small model on a laptop's CPU, flat for the first tokens."""

    def real(tokens: int) -> float:
        return 0.037 + 0.0019 * max(0, tokens - 6)

    rng = np.random.default_rng(0)
    cost = PassCost()
    for _ in range(5):
        for tokens in (400, 150):
            cost.observe(tokens, real(tokens) * rng.lognormal(0.0, 0.2))
            assert cost.seconds(2) == pytest.approx(real(2), rel=0.35)
            assert cost.seconds(16) == pytest.approx(real(16), rel=0.35)
        for _ in range(40):
            tokens = int(rng.choice([2, 2, 4, 8]))
            cost.observe(tokens, real(tokens) * rng.lognormal(0.0, 0.2))


def test_passes_of_one_size_say_what_that_size_costs_and_leave_the_slope() -> None:
    cost = PassCost(per_token=0.003)
    for _ in range(50):
        cost.observe(2, 0.05)
    assert cost.seconds(2) == pytest.approx(0.05, rel=0.01)
    assert cost.per_token == pytest.approx(0.003, rel=0.2)


@given(st.lists(st.tuples(st.integers(1, 2000), st.floats(0, 10)), max_size=30), st.floats(0.001, 2))
def test_no_cost_is_negative_and_there_is_always_time_for_a_token(
    passes: list[tuple[int, float]], limit: float
) -> None:
    cost = PassCost()
    for tokens, seconds in passes:
        cost.observe(tokens, seconds)
    assert cost.seconds(1) >= 0
    assert cost.tokens_within(limit) >= 1


def test_when_tokens_cost_nothing_all_are_scored_and_when_the_pass_costs_nothing_few() -> None:
    assert worth_scoring([0.9] * 50, PassCost(base=1.0, per_token=0.0)) == 50
    assert worth_scoring([0.9] * 50, PassCost(base=0.0, per_token=1.0)) == 0
    assert worth_scoring([], PassCost()) == 0


@given(
    st.lists(st.floats(0.05, 0.999), max_size=60), st.floats(1e-4, 1), st.floats(1e-5, 0.1), st.integers(1, 4)
)
def test_no_other_number_yields_more_tokens_a_second(
    chances: list[float], base: float, per_token: float, prompts: int
) -> None:
    """A position costs a token for each prompt."""
    cost = PassCost(base, per_token)

    def rate(scored: int) -> float:
        emitted = sum(math.prod(chances[:i]) for i in range(scored + 1))
        return emitted / cost.seconds(prompts * (scored + 1))

    best = worth_scoring(chances, cost, prompts)
    assert rate(best) == pytest.approx(max(rate(scored) for scored in range(len(chances) + 1)))


def test_a_pass_waits_only_for_what_comes_soon_and_is_likely_to_be_kept() -> None:
    cost = PassCost(base=0.1, per_token=0.001)
    assert worth_waiting(0.01, 0.7, cost)
    assert not worth_waiting(0.05, 0.7, cost)  # not soon
    assert not worth_waiting(0.01, 0.1, cost)  # seldom kept
    assert not worth_waiting(0.0, 0.7, cost)  # nobody knows when
    assert not worth_waiting(0.01, 0.7, PassCost(base=0.0, per_token=0.05))  # a second position costs as much
