"""Typer callbacks that reject what passes a range check: NaN and infinity, and 0 where it is no bound."""

from __future__ import annotations

import math

import typer


def finite(value: float | None) -> float | None:
    """Returns the value; raises BadParameter for NaN and infinity."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("give a number")
    return value


def all_finite(values: list[float] | None) -> list[float] | None:
    """The same for several values."""
    for value in values or ():
        finite(value)
    return values


def all_positive(values: list[float] | None) -> list[float] | None:
    """The same for several values that must be above 0."""
    for value in all_finite(values) or ():
        if value <= 0:
            raise typer.BadParameter("give a number above 0")
    return values
