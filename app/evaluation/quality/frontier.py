"""The frontier: how much each rule of steering brings at each strength and margin, against its harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.evaluation.quality.forms import named
from app.evaluation.quality.interval import Interval
from app.evaluation.quality.replies import Figures
from app.evaluation.quality.rules import listed
from app.evaluation.quality.strengths import AS_THE_PRODUCT, Kind, Tried
from app.evaluation.quality.texts import Standing

CURVES = {"auto": "auto's rule", "strength": "one strength", "margin": "auto by margin"}


@dataclass(frozen=True)
class Point:
    """One strength, and its margin in nats: what its rule gained on people's texts, and what its replies are
    like. None where that was not measured."""

    name: str
    strength: float
    margin: float
    standing: Standing | None
    figures: Figures | None

    @property
    def gained(self) -> Interval | None:
        return self.standing.gained if self.standing is not None else None


@dataclass(frozen=True)
class Curve:
    """The points of one kind of strength in one form of prompts, by rising strength, or those of auto by
    rising margin."""

    form: str
    kind: Kind | Literal["margin"]
    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        return named(CURVES[self.kind], self.form)


def frontier(
    tried: Sequence[Tried],
    forms: Sequence[str],
    top: int,
    standings: Sequence[Standing],
    figures: Sequence[Figures],
) -> list[Curve]:
    """The curves that have points; `top` is how many tokens the remote lists for replies."""
    judged = {one.name: one for one in standings}
    written = {one.system: one for one in figures}
    curves = []
    for form in forms:
        for kind, some in _by_kind(tried).items():
            points = [
                Point(
                    named(one.name, form),
                    one.value,
                    one.nats,
                    judged.get(named(listed(one, top).name, form)),
                    written.get(named(one.name, form)),
                )
                for one in some
            ]
            found = tuple(one for one in points if one.standing is not None or one.figures is not None)
            if found:
                curves.append(Curve(form, kind, found))
    return curves


def _by_kind(tried: Sequence[Tried]) -> dict[Kind | Literal["margin"], list[Tried]]:
    """The strengths of each curve, in its order; no curve of margins with the product's own alone, and levels
    of disclosure on none."""
    tried = [one for one in tried if one.levels is None]
    own = [one for one in tried if one.margin is None]
    margins = [one for one in tried if one.margin is not None]
    if margins:
        margins += [one for one in own if one == AS_THE_PRODUCT]
    by_strength = sorted(own, key=lambda one: one.value)
    return {
        "auto": [one for one in by_strength if one.kind == "auto"],
        "strength": [one for one in by_strength if one.kind == "strength"],
        "margin": sorted(margins, key=lambda one: one.nats),
    }
