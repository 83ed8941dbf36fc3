"""Parses and formats a strength on the command line."""

from __future__ import annotations

import typer
from pydantic import TypeAdapter, ValidationError

from app.profiles.fields import STRENGTH, StrengthIn
from app.steering.strength import AUTO, Strength

METAVAR = f"0..4|{AUTO}"


def typed(text: str) -> Strength:
    """Parses a strength. Raises BadParameter."""
    given: TypeAdapter[Strength] = TypeAdapter(StrengthIn)
    try:
        return given.validate_python(text)
    except ValidationError:
        raise typer.BadParameter(f"give {STRENGTH}") from None


def strength_text(strength: Strength) -> str:
    return strength if strength == AUTO else f"{strength:g}"
