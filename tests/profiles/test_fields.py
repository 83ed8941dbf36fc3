"""A strength is a number or one word, and what is neither is told once."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.profiles.fields import STRENGTH, StrengthIn, Wire
from app.steering.strength import AUTO, Strength

GIVEN: TypeAdapter[Strength] = TypeAdapter(StrengthIn)


class Asked(Wire):
    strength: StrengthIn | None = None


@given(st.floats(0, 4) | st.integers(0, 4) | st.just(AUTO) | st.none())
def test_numbers_from_0_to_4_and_auto_are_taken(strength: Strength | None) -> None:
    assert Asked.model_validate({"strength": strength}).strength == strength


NEITHER: list[Any] = [-0.1, 4.1, float("nan"), float("inf"), 10**400, "strong", "AUTO", "auto ", "", [], {}]


@pytest.mark.parametrize("strength", [*NEITHER, True, "1", "0.5"], ids=lambda value: ascii(value)[:20])
def test_anything_else_is_one_mistake_that_says_what_is_taken(strength: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({"strength": strength})
    (mistake,) = caught.value.errors()
    assert (mistake["loc"], mistake["type"]) == (("strength",), "strength")
    assert mistake["msg"] == f"must be {STRENGTH}" == 'must be a number from 0 to 4, or "auto"'


@pytest.mark.parametrize(("text", "strength"), [("0", 0.0), ("0.25", 0.25), ("4", 4.0), ("auto", AUTO)])
def test_where_all_is_text_a_number_is_read_from_it(text: str, strength: Strength) -> None:
    assert GIVEN.validate_python(text) == strength


@pytest.mark.parametrize("text", ["4.1", "-1", "nan", "much", "Auto", ""])
def test_where_all_is_text_the_rest_is_refused_as_well(text: str) -> None:
    with pytest.raises(ValidationError, match="a number from 0 to 4"):
        GIVEN.validate_python(text)


def test_a_mistake_does_not_hold_what_was_sent() -> None:
    sent = {"strength": "s3cret"}
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate(sent)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_both_kinds_are_documented() -> None:
    number, word = GIVEN.json_schema()["anyOf"]
    assert number == {"type": "number", "minimum": 0, "maximum": 4}
    assert word == {"type": "string", "const": "auto"}
