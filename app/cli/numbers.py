"""Typer callbacks that reject NaN and infinity, which pass a range check."""

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
