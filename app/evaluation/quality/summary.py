"""Summarises the cases: rules by people's own texts, systems by their replies, and how they compare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.evaluation.quality.comparison import Difference, differences, rules_of
from app.evaluation.quality.forced import Forced
from app.evaluation.quality.frontier import Curve, frontier
from app.evaluation.quality.identified import Identified, identified
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.replies import Figures, figures, measured
from app.evaluation.quality.scored import Scored
from app.evaluation.quality.telling import Telling, tellings
from app.evaluation.quality.texts import Standing, judged, standings
from app.evaluation.quality.written import Written


@dataclass(frozen=True)
class Summary:
    """The summary of an evaluation so far; the first of the `forms` is the one to compare with."""

    forms: tuple[str, ...]
    texts: int = 0
    tokens: int = 0
    rules: list[Standing] = field(default_factory=list)
    systems: list[Figures] = field(default_factory=list)
    frontier: list[Curve] = field(default_factory=list)
    against: str | None = None
    differences: list[Difference] = field(default_factory=list)
    identified: list[Identified] = field(default_factory=list)
    told: list[Telling] = field(default_factory=list)


def summarise(
    plan: Plan, forced: Iterable[Forced], written: Iterable[Written], scored: Iterable[Scored] = ()
) -> Summary:
    """Summarises those of the plan's cases that are done, with systems in the plan's order.

    Rules are compared on the same texts, and systems on the same cases: only those that all of them have.
    """
    wanted = {case.id: case for case in plan.cases}
    texts = judged([one for one in forced if one.case in wanted], plan.forms)
    by_system: dict[str, dict[str, Written]] = {}
    for one in written:
        if one.case in wanted:
            by_system.setdefault(one.system, {})[one.case] = one
    ordered = {one.name: by_system[one.name] for one in plan.systems if one.name in by_system}
    replies = measured(wanted, ordered, plan.forms)
    rules = standings(texts) if texts is not None else []
    systems = figures(replies) if replies else []
    found = []
    if plan.against is not None:
        found = differences(plan.against, texts, replies, rules_of(plan.systems, plan.top))
    return Summary(
        plan.forms,
        len(texts.tokens) if texts is not None else 0,
        int(texts.tokens.sum()) if texts is not None else 0,
        rules,
        systems,
        frontier(plan.tried, plan.forms, plan.top, rules, systems),
        plan.against,
        found,
        identified(plan, scored),
        tellings(ordered),
    )
