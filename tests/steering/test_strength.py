"""What a strength comes to: whether it steers, and by how much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.steering.strength import AUTO, AUTO_MARGIN, AUTO_STRENGTH, Strength, constant, resolve_margin, steers


@given(st.floats(0, 4))
def test_a_number_is_itself_and_steers_unless_it_is_0(strength: float) -> None:
    assert constant(strength) == strength
    assert steers(strength) == (strength != 0)


def test_auto_steers() -> None:
    assert steers(AUTO)
    assert constant(AUTO) == AUTO_STRENGTH > 0


def test_what_auto_stands_for_can_be_varied_and_moves_no_number() -> None:
    assert constant(AUTO, 0.5) == 0.5
    assert constant(2.0, 0.5) == 2.0


@given(st.floats(0, 10), st.floats(0, 4) | st.just(AUTO))
def test_a_margin_that_is_given_goes_before_the_strengths_own(margin: float, strength: Strength) -> None:
    assert resolve_margin(margin, strength) == margin


@given(st.floats(0, 4))
def test_auto_has_a_margin_and_a_number_none(strength: float) -> None:
    assert resolve_margin(None, strength) == 0.0
    assert resolve_margin(None, AUTO) == AUTO_MARGIN > 0.0
