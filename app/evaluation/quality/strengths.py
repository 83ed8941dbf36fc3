"""The strengths that an evaluation compares: by themselves, of auto's rule, and margins of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.steering.strength import AUTO, AUTO_MARGIN, AUTO_STRENGTH, Strength, resolve_margin

Kind = Literal["strength", "auto"]


@dataclass(frozen=True)
class Tried:
    """A strength: of kind "auto" the constant of auto's rule (see steering/strength.py), else one by itself.

    `margin` is in nats (see steering/margin.py); None: the strength's own. `label` is the name in reports,
    unless that is made of the others.
    """

    kind: Kind
    value: float
    label: str = ""
    margin: float | None = None

    @property
    def name(self) -> str:
        if self.label:
            return self.label
        if self.kind == "strength":
            return f"strength {self.value:g}"
        margin = f", margin {self.margin:g}" if self.margin is not None else ""
        return (AUTO if self.value == AUTO_STRENGTH else f"{AUTO}:{self.value:g}") + margin

    @property
    def strength(self) -> Strength:
        """As a request has it; what AUTO stands for is up to the DecodingConfig."""
        return AUTO if self.kind == "auto" else self.value

    @property
    def nats(self) -> float:
        """The margin that it comes to."""
        return resolve_margin(self.margin, self.strength)


def of_margin(margin: float) -> Tried:
    """Auto's rule with a margin, in nats."""
    return Tried("auto", AUTO_STRENGTH, margin=None if margin == AUTO_MARGIN else margin)


AS_THE_PRODUCT = Tried("auto", AUTO_STRENGTH)
