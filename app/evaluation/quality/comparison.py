"""Paired differences: what rules and systems have over a chosen one, on the same texts and cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.evaluation.quality.forms import named
from app.evaluation.quality.interval import Interval, ratio
from app.evaluation.quality.replies import Measured, mean
from app.evaluation.quality.systems import System
from app.evaluation.quality.texts import Texts


@dataclass(frozen=True)
class Difference:
    """Mean differences of one rule or system from the one it is compared with; None where one has no value.

    `gained` is in nats per token of people's own texts, positive where they are likelier; the others are of
    replies: see Measured, whose names they have.
    """

    name: str
    gained: Interval | None
    lift: dict[str, Interval | None]
    harm: Interval | None
    repetition: Interval | None
    rouge_l: Interval | None
    meteor: Interval | None


def rules_of(systems: Sequence[System], top: int) -> dict[str, str]:
    """The rule that each system writes by, both by their names in reports."""
    pairs = [(system, system.rule(top)) for system in systems]
    return {system.name: named(rule, system.form) for system, rule in pairs if rule is not None}


def differences(
    against: str, texts: Texts | None, measured: Mapping[str, Measured], rules: Mapping[str, str]
) -> list[Difference]:
    """Every system, or without replies every rule, compared with that of the name `against`.

    `rules` has the rule of each system. A system is judged by its rule, and a rule by the replies of a system
    that writes by it.
    """
    judged = texts.judged if texts is not None else {}
    writers = {rule: system for system, rule in rules.items()}
    return [
        _difference(
            name,
            _gained(texts, rules.get(against, against), rules.get(name, name)),
            measured.get(against) or measured.get(writers.get(against, "")),
            measured.get(name),
        )
        for name in measured or judged
        if name != against
    ]


def _gained(texts: Texts | None, base: str, name: str) -> Interval | None:
    if texts is None or base not in texts.judged or name not in texts.judged:
        return None
    return ratio(texts.judged[base].nll - texts.judged[name].nll, texts.tokens)


def _difference(
    name: str, gained: Interval | None, base: Measured | None, one: Measured | None
) -> Difference:
    if base is None or one is None:
        return Difference(name, gained, {}, None, None, None, None)
    return Difference(
        name,
        gained,
        {form: mean(lift - base.lift[form]) for form, lift in one.lift.items()},
        mean(one.harm - base.harm),
        mean(one.repetition - base.repetition),
        mean(one.rouge_l - base.rouge_l),
        mean(one.meteor - base.meteor),
    )
