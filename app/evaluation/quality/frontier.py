"""The frontier: how much each rule of steering brings at each strength, against what harm it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.evaluation.quality.forms import named
from app.evaluation.quality.interval import Interval
from app.evaluation.quality.replies import Figures
from app.evaluation.quality.rules import listed
from app.evaluation.quality.strengths import Kind, Tried
from app.evaluation.quality.texts import Standing


@dataclass(frozen=True)
class Point:
    """One strength: what its rule gained on people's texts, and what its replies are like. None where that
    was not measured."""

    name: str
    strength: float
    standing: Standing | None
    figures: Figures | None

    @property
    def gained(self) -> Interval | None:
        return self.standing.gained if self.standing is not None else None


@dataclass(frozen=True)
class Curve:
    """The points of one kind of strength in one form of prompts, by rising strength."""

    form: str
    kind: Kind
    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        return named("auto's rule" if self.kind == "auto" else "one strength", self.form)


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
        for kind in ("auto", "strength"):
            points = [
                Point(
                    named(one.name, form),
                    one.value,
                    judged.get(named(listed(one, top).name, form)),
                    written.get(named(one.name, form)),
                )
                for one in sorted(tried, key=lambda one: one.value)
                if one.kind == kind
            ]
            found = tuple(one for one in points if one.standing is not None or one.figures is not None)
            if found:
                curves.append(Curve(form, kind, found))
    return curves
