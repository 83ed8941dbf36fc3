"""What a pass costs, learnt from passes; and how many drafted tokens it pays to score in one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.local.engine.pass_cost import PassCost, worth_scoring


def test_a_straight_line_is_learnt_through_noise_and_a_change_of_it_as_well() -> None:
    rng = np.random.default_rng(0)
    cost = PassCost()
    for base, slope in [(0.02, 0.001), (0.1, 0.004)]:
        for _ in range(300):
            tokens = int(rng.integers(1, 200))
            cost.observe(tokens, (base + slope * tokens) * rng.uniform(0.95, 1.05))
        assert cost.seconds(1) == pytest.approx(base + slope, rel=0.2)
        assert cost.seconds(150) == pytest.approx(base + slope * 150, rel=0.1)


def test_passes_of_one_size_say_what_that_size_costs_and_leave_the_slope() -> None:
    cost = PassCost(per_token=0.003)
    for _ in range(50):
        cost.observe(2, 0.05)
    assert cost.seconds(2) == pytest.approx(0.05)
    assert cost.per_token == 0.003


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
    assert worth_scoring(50, 0.9, PassCost(base=1.0, per_token=0.0)) == 50
    assert worth_scoring(50, 0.9, PassCost(base=0.0, per_token=1.0)) == 0
    assert worth_scoring(0, 0.9, PassCost()) == 0


@given(st.floats(0.5, 0.999), st.floats(1e-4, 1), st.floats(1e-5, 0.1), st.integers(0, 60), st.integers(1, 4))
def test_no_other_number_yields_more_tokens_a_second(
    acceptance: float, base: float, per_token: float, pending: int, prompts: int
) -> None:
    """A position costs a token for each prompt."""
    cost = PassCost(base, per_token)

    def rate(scored: int) -> float:
        emitted = sum(acceptance**i for i in range(scored + 1))
        return emitted / cost.seconds(prompts * (scored + 1))

    best = worth_scoring(pending, acceptance, cost, prompts)
    assert rate(best) == pytest.approx(max(rate(scored) for scored in range(pending + 1)))
