"""A strength as it is given: on the wire, in a profile file, as a setting, to a command."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from app.strength import Strength

STRENGTH = 'a number from 0 to 4, or "auto"'


def _either(value: object, checked: ValidatorFunctionWrapHandler) -> Strength:
    """Pydantic itself would report on every branch of the union."""
    try:
        strength: Strength = checked(value)
    except ValidationError:
        raise PydanticCustomError("strength", "must be {expected}", {"expected": STRENGTH}) from None
    return strength


StrengthIn = Annotated[Annotated[float, Field(ge=0, le=4)] | Literal["auto"], WrapValidator(_either)]
