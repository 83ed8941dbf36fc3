"""The strengths that an evaluation compares: by themselves, or auto's at margins, levels and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from app.profiles.disclosure import IDENTIFIERS, Disclosure
from app.steering.strength import AUTO, AUTO_MARGIN, AUTO_STRENGTH, Strength, resolve_margin

Kind = Literal["strength", "auto"]


class Levels(StrEnum):
    """Levels of disclosure that are compared: the least one for all that is read of a person, or those that
    nobody has changed."""

    OPEN = "open"
    DEFAULT = "default"
    SHAPE = "shape"
    FILL = "fill"


# Identifiers are stricter unless they are open by themselves.
OPEN = Disclosure(identifiers=tuple((kind, "open") for kind in IDENTIFIERS))
DISCLOSURES: Mapping[Levels, Disclosure] = MappingProxyType(
    {
        Levels.OPEN: OPEN,
        Levels.DEFAULT: Disclosure(),
        Levels.SHAPE: Disclosure("shape"),
        Levels.FILL: Disclosure("fill"),
    }
)


@dataclass(frozen=True)
class Tried:
    """A strength: of kind "auto" the constant of auto's rule (see steering/strength.py), else one by itself.

    `margin` is in nats (see steering/margin.py); None: the strength's own. `label` is the name in reports,
    unless that is made of the others. `levels` are those of disclosure; None: replies are steered with
    everything open, and texts without a guard. A `budget`, in nats, comes with levels; None: no bound.
    """

    kind: Kind
    value: float
    label: str = ""
    margin: float | None = None
    levels: Levels | None = None
    budget: float | None = None

    @property
    def name(self) -> str:
        if self.label:
            return self.label
        if self.kind == "strength":
            return f"strength {self.value:g}"
        margin = f", margin {self.margin:g}" if self.margin is not None else ""
        return (AUTO if self.value == AUTO_STRENGTH else f"{AUTO}:{self.value:g}") + margin + self._at

    @property
    def _at(self) -> str:
        """What of its name is about levels and the budget."""
        if self.levels is None:
            return ""
        levels = "default levels" if self.levels is Levels.DEFAULT else f"all {self.levels}"
        return f", {levels}" + (f", budget {self.budget:g}" if self.budget is not None else "")

    @property
    def disclosure(self) -> Disclosure | None:
        """What its levels and its budget come to; None without any levels."""
        return replace(DISCLOSURES[self.levels], budget=self.budget) if self.levels is not None else None

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


def at_levels(levels: Levels) -> Tried:
    """Auto's rule, at levels of disclosure."""
    return Tried("auto", AUTO_STRENGTH, levels=levels)


def of_budget(nats: float) -> Tried:
    """Auto's rule, at the levels that nobody has changed, with a budget."""
    return Tried("auto", AUTO_STRENGTH, levels=Levels.DEFAULT, budget=nats)


AS_THE_PRODUCT = Tried("auto", AUTO_STRENGTH)
