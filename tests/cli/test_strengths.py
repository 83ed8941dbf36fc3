"""A strength that is shown can be typed."""

from __future__ import annotations

import pytest
import typer

from app.cli.strengths import strength_text, typed
from app.steering.strength import Strength


@pytest.mark.parametrize(("text", "strength"), [("auto", "auto"), ("0", 0.0), ("0.5", 0.5), ("1.78", 1.78)])
def test_what_is_shown_is_what_is_typed(text: str, strength: Strength) -> None:
    assert typed(text) == strength
    assert strength_text(strength) == text


@pytest.mark.parametrize("text", ["strong", "AUTO", "5", "-1", "nan", ""])
def test_what_is_no_strength_is_a_mistake_that_says_what_is_one(text: str) -> None:
    with pytest.raises(typer.BadParameter, match='give a number from 0 to 4, or "auto"'):
        typed(text)
