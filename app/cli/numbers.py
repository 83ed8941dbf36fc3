"""Numbers as they are typed: what a range alone lets through."""

from __future__ import annotations

import math

import typer


def finite(value: float | None) -> float | None:
    """Raises BadParameter for one that is no number, nor of any size."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("give a number")
    return value


def all_finite(values: list[float] | None) -> list[float] | None:
    """The same of several."""
    for value in values or ():
        finite(value)
    return values
