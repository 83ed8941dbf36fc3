"""What rules make of people's own texts: how likely each finds them, on the whole and person by person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.quality.forced import Forced
from app.evaluation.quality.forms import PRODUCT, named
from app.evaluation.quality.interval import Interval, ratio
from app.evaluation.quality.likelihood import TEMPERATURES
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.steering.formula import FloatArray

QUARTILES = (25, 50, 75)  # percentiles


@dataclass(frozen=True)
class Judged:
    """A rule with one form of prompts: `nll` [n] is the sum over each text, in nats, at `temperature`, the
    best over all of them."""

    rule: str
    form: str
    temperature: float
    nll: FloatArray

    @property
    def name(self) -> str:
        return named(self.rule, self.form)


@dataclass(frozen=True)
class Texts:
    """The same texts by every rule in each of the `forms`; `tokens` [n] is how long each is."""

    forms: tuple[str, ...]
    tokens: FloatArray
    judged: dict[str, Judged]  # by name


@dataclass(frozen=True)
class Standing:
    """One rule with one form of prompts; `name` is that of both.

    `nll` is in nats per token of the users' own text, at `temperature`, the rule's best; `gained` is how much
    lower it is than that of the remote alone, at its own best temperature. `closed` is the share of what the
    remote would gain if it were shown the profile in the same form, `closed_first` in the first form.
    `quartiles` are those of each person's own gain in nats per token, `gaining` is the share of people with
    one.
    """

    name: str
    rule: str
    form: str
    temperature: float
    nll: Interval
    gained: Interval
    closed: Interval
    closed_first: Interval
    quartiles: tuple[float, float, float]
    gaining: Interval


def judged(forced: Iterable[Forced], forms: Sequence[str]) -> Texts | None:
    """The texts that were read in all of the `forms`, by the rules that judged each; None without any."""
    by_case: dict[str, dict[str, Forced]] = {}
    for one in forced:
        by_case.setdefault(one.case, {})[one.form] = one
    whole = [by_form for by_form in by_case.values() if by_form.keys() >= set(forms)]
    if not whole:
        return None
    tokens = np.array([by_form[forms[0]].tokens for by_form in whole], np.float64)
    found: dict[str, Judged] = {}
    for form in forms:
        read = [by_form[form] for by_form in whole]
        for rule in sorted(read[-1].nll, key=lambda name: name == SHOWN):  # the bound comes last
            if all(rule in one.nll for one in read):
                sums = np.array([one.nll[rule] for one in read]) * tokens[:, np.newaxis]
                best = int(np.argmin(sums.sum(axis=0)))
                own = PRODUCT if rule == REMOTE_ALONE else form
                one_rule = Judged(rule, own, TEMPERATURES[best], sums[:, best])
                found.setdefault(one_rule.name, one_rule)
    return Texts(tuple(forms), tokens, found)


def standings(texts: Texts) -> list[Standing]:
    """Each rule's results over the same texts."""
    return [_standing(texts, one) for one in texts.judged.values()]


def _standing(texts: Texts, one: Judged) -> Standing:
    alone = texts.judged[REMOTE_ALONE].nll
    # The remote alone is of no form, but it closes nothing of any.
    own = one.form if one.form in texts.forms else texts.forms[0]
    gap, first_gap = (alone - texts.judged[named(SHOWN, form)].nll for form in (own, texts.forms[0]))
    gained = alone - one.nll
    low, middle, high = np.percentile(gained / texts.tokens, QUARTILES).tolist()
    return Standing(
        one.name,
        one.rule,
        one.form,
        one.temperature,
        ratio(one.nll, texts.tokens),
        ratio(gained, texts.tokens),
        ratio(gained, gap),
        ratio(gained, first_gap),
        (low, middle, high),
        ratio(gained > 0, np.ones(len(gained))),
    )
