"""Carries out a plan: computes what the results do not have yet, case by case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.evaluation.quality.attack import CASES_AT_ONCE, Attack
from app.evaluation.quality.forced import Forced, Forcing
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.results import Results
from app.evaluation.quality.rules import Rule
from app.evaluation.quality.scored import Scored
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


async def attack_replies(
    attack: Attack, plan: Plan, written: Results[Written], results: Results[Scored], advance: Advance
) -> None:
    """Score the replies for the candidates for whom they were not yet; `advance` counts candidates of cases.

    Of a few cases, whose conversations the attack remembers, one candidate after the other is scored, so that
    what is read of each is prefilled once for them.
    """
    people = plan.crowd.people if plan.crowd is not None else {}
    for first in range(0, len(plan.attacked), CASES_AT_ONCE):
        few = plan.attacked[first : first + CASES_AT_ONCE]
        for case, candidate in [(case, one) for one in people for case, known in few if one in known]:
            replies = [(system, written.get(case.id, system.name)) for system in plan.systems]
            missing = {
                system: reply
                for system, reply in replies
                if reply is not None and results.get(case.id, system.name, candidate) is None
            }
            for one in await attack.scored(case, missing, candidate, people[candidate]) if missing else ():
                results.add(one)
            advance(1)


def is_read(reply: Written, plan: Plan) -> bool:
    """Whether the remote has read the reply in every form; an empty one cannot be."""
    return not reply.text or reply.shown.keys() >= set(plan.forms)


def is_done(
    plan: Plan,
    read: Results[Forced] | None,
    written: Results[Written] | None,
    scored: Results[Scored] | None = None,
) -> bool:
    """Whether every text was read and every reply written, in every form, and every attack made."""
    if read is not None and any(read.get(case.id, form) is None for case in plan.read for form in plan.forms):
        return False
    if written is None:
        return True
    replies = [written.get(case.id, system.name) for case in plan.cases for system in plan.systems]
    if not all(one is not None and is_read(one, plan) for one in replies):
        return False
    return scored is None or all(
        scored.get(case.id, system.name, one) is not None
        for case, candidates in plan.attacked
        for system in plan.systems
        for one in candidates
    )
