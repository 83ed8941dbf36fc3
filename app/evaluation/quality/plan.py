"""What is to be evaluated: cases, forms of prompts, strengths, and how much is read and written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from app.errors import InvalidRequest
from app.evaluation.quality.cases import Case
from app.evaluation.quality.crowd import Crowd
from app.evaluation.quality.forms import PRODUCT, named
from app.evaluation.quality.rules import PAPERS, REMOTE_ALONE, SHOWN, Rule, rules
from app.evaluation.quality.strengths import AS_THE_PRODUCT, Tried
from app.evaluation.quality.systems import System, systems


@dataclass(frozen=True)
class Plan:
    """`top` is how many tokens the remote lists at each position of a reply; `against` is the name of the
    rule or system that all others are compared with; `crowd` are the people whom an attacker knows."""

    cases: tuple[Case, ...]
    forms: tuple[str, ...] = (PRODUCT,)
    strengths: tuple[Tried, ...] = ()
    top: int = 20
    tokens: int = 160
    reply_tokens: int = 128
    temperature: float = 0.0
    at_once: int = 4
    loop: bool = False
    against: str | None = None
    crowd: Crowd | None = None

    @property
    def tried(self) -> tuple[Tried, ...]:
        """The strengths, with the product's own and the paper's."""
        return tuple(dict.fromkeys((AS_THE_PRODUCT, *self.strengths, PAPERS)))

    @property
    def read(self) -> list[Case]:
        """The cases with a reference text to score; none if `tokens` is 0."""
        return [case for case in self.cases if case.reference] if self.tokens else []

    @cached_property
    def systems(self) -> tuple[System, ...]:
        """Those that write replies; none if `reply_tokens` is 0."""
        return tuple(systems(self.tried, self.forms, loop=self.loop)) if self.reply_tokens else ()

    @cached_property
    def attacked(self) -> tuple[tuple[Case, tuple[str, ...]], ...]:
        """The cases whose replies are attacked, with the ids of the candidates; none without a crowd."""
        crowd = self.crowd
        return tuple((case, crowd.candidates(case)) for case in self.cases) if crowd is not None else ()

    def rules(self, *, one_vocabulary: bool) -> list[Rule]:
        """Those that texts are judged by, in each form."""
        return rules(self.tried, self.top, one_vocabulary=one_vocabulary)

    def check(self) -> None:
        """Raises InvalidRequest when `against` names nothing."""
        every = [SHOWN, *(rule.name for rule in self.rules(one_vocabulary=True))]
        judged = [REMOTE_ALONE, *(named(name, form) for form in self.forms for name in every)]
        writing = [system.name for system in self.systems]
        if self.against is not None and self.against not in {*judged, *writing}:
            known = "; ".join(writing or judged)
            raise InvalidRequest(f"--against: nothing here is called {self.against!r}. There are: {known}.")
