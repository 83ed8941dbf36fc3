"""Carries out a plan: computes what the results do not have yet, case by case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.evaluation.quality.forced import Forced, Forcing
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.results import Results
from app.evaluation.quality.rules import Rule
from app.evaluation.quality.writing import Writing
from app.evaluation.quality.written import Written

Advance = Callable[[int], None]


async def read_texts(
    forcing: Forcing, plan: Plan, rules: Sequence[Rule], results: Results[Forced], advance: Advance
) -> None:
    """Judge each text by those rules that have not, in each form; `advance` counts texts."""
    for case in plan.read:
        missing = {}
        for form in plan.forms:
            known = results.get(case.id, form)
            left = [rule for rule in rules if known is None or rule.name not in known.nll]
            if left:
                missing[form] = left
        for one in await forcing.forced(case, missing) if missing else ():
            known = results.get(*one.key)
            results.add(replace(one, nll={**known.nll, **one.nll}) if known is not None else one)
        advance(1)


async def write_replies(writing: Writing, plan: Plan, results: Results[Written], advance: Advance) -> None:
    """Write the replies that are missing, and read those that were not read in every form; `advance` counts
    replies."""
    for first in range(0, len(plan.cases), plan.at_once):
        group = plan.cases[first : first + plan.at_once]
        for system in plan.systems:
            known = [(case, results.get(case.id, system.name)) for case in group]
            missing = [case for case, one in known if one is None]
            for one in await writing.written(missing, system) if missing else ():
                results.add(one)
            for case, reply in known:
                if reply is not None and not is_read(reply, plan):
                    results.add(await writing.read(case, reply))
            advance(len(group))


def is_read(reply: Written, plan: Plan) -> bool:
    """Whether the remote has read the reply in every form; an empty one cannot be."""
    return not reply.text or reply.shown.keys() >= set(plan.forms)


def is_done(plan: Plan, read: Results[Forced] | None, written: Results[Written] | None) -> bool:
    """Whether every text was read and every reply written, in every form."""
    if read is not None and any(read.get(case.id, form) is None for case in plan.read for form in plan.forms):
        return False
    if written is None:
        return True
    replies = [written.get(case.id, system.name) for case in plan.cases for system in plan.systems]
    return all(one is not None and is_read(one, plan) for one in replies)
