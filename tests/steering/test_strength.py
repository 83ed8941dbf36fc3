"""What a strength comes to: whether it steers, and by how much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.steering.strength import AUTO, AUTO_STRENGTH, constant, steers


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
