"""From answers to proposals: what several passages say counts as one, and the likeliest come first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp

from app.proposals.asking import Answer
from app.proposals.proposal import Proposal, folded_text

# By how much reading the sentence has to make a value likelier, in nats: less is what anybody might answer.
GAIN = 4.5
# Nats of a margin beyond the least that make a value e times as sure.
SCALE = 2.0
# The most proposals of one field.
MOST = 5


def accepted(answer: Answer) -> bool:
    """Whether an answer is likely enough to be proposed."""
    field = answer.candidate.field
    return answer.margin >= field.least and (field.form is not None or answer.gain >= GAIN)


def proposals(answers: Sequence[Answer]) -> list[Proposal]:
    """The fields that the accepted answers propose, the surest first; of a field that holds one value the
    surest value."""
    groups: dict[tuple[str, str], Proposal] = {}
    for answer in answers:
        if accepted(answer):
            one = _proposal(answer)
            key = _group(groups, one)
            groups[key] = _joined(groups[key], one) if key in groups else one
    most = {one.candidate.field.key: MOST if one.candidate.field.many else 1 for one in answers}
    chosen = []
    for one in sorted(groups.values(), key=lambda one: -one.confidence):
        if most[one.key] > 0:
            most[one.key] -= 1
            chosen.append(one)
    return chosen


def _proposal(answer: Answer) -> Proposal:
    one = answer.candidate
    text, start = one.sentence.text, one.start
    sure = 1 / (1 + exp(-(answer.margin - one.field.least) / SCALE))
    value = text[start : answer.end]
    return Proposal("field", one.field.key, value, text, start, answer.end, one.sentence.item_id, sure)


def _group(groups: dict[tuple[str, str], Proposal], one: Proposal) -> tuple[str, str]:
    """That of the same value, or of one that has it within or is within it; else its own."""
    own = folded_text(one.value)
    for key, value in groups:
        if key == one.key and (f" {own} " in f" {value} " or f" {value} " in f" {own} "):
            return key, value
    return one.key, own


def _joined(before: Proposal, one: Proposal) -> Proposal:
    """Two that say the same: the longer value, as sure as that one of them at least is right."""
    longer = one if len(one.value) > len(before.value) else before
    sure = 1 - (1 - before.confidence) * (1 - one.confidence)
    return replace(longer, confidence=sure, passages=before.passages + one.passages)
