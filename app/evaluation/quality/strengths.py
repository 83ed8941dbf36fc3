"""The strengths that an evaluation compares: constants by themselves, and constants of auto's rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.steering.strength import AUTO, AUTO_STRENGTH, Strength

Kind = Literal["strength", "auto"]


@dataclass(frozen=True)
class Tried:
    """A strength: of kind "auto" the constant of auto's rule (see steering/strength.py), else one by itself.

    `label` is the name in reports, unless that is made of the two.
    """

    kind: Kind
    value: float
    label: str = ""

    @property
    def name(self) -> str:
        if self.label:
            return self.label
        if self.kind == "strength":
            return f"strength {self.value:g}"
        return AUTO if self.value == AUTO_STRENGTH else f"{AUTO}:{self.value:g}"

    @property
    def strength(self) -> Strength:
        """As a request has it; what AUTO stands for is up to the DecodingConfig."""
        return AUTO if self.kind == "auto" else self.value


AS_THE_PRODUCT = Tried("auto", AUTO_STRENGTH)
