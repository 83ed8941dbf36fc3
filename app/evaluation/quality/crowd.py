"""The people whom an attacker knows, of whom one has asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from app.errors import InvalidRequest
from app.evaluation.quality.askers import Asker
from app.evaluation.quality.cases import Case
from app.evaluation.quality.history import newest_items
from app.prompts.private import PrivateContext


@dataclass(frozen=True, repr=False)
class Crowd:
    """Everybody who may have asked, by the id of their profile and in the order of a draw, with what an
    attacker reads of each; `size` of them are the candidates for one reply. With `by_remote` the black box
    attacker reads with the remote's model, else with the small one."""

    people: Mapping[str, PrivateContext]
    size: int
    by_remote: bool = False

    def candidates(self, case: Case) -> tuple[str, ...]:
        """Who may have asked: who did, and of the others those that were drawn first, whoever it was."""
        own = asker_of(case)
        return (own, *islice((one for one in self.people if one != own), self.size - 1))


def crowd(people: Sequence[Asker], size: int, top_k: int, *, by_remote: bool) -> Crowd:
    """Of the people, in the order of a draw, with `top_k` newest items of each one's history: what is read of
    somebody is then the same for all replies. Raises InvalidRequest when they are fewer than `size`."""
    if len(people) < size:
        raise InvalidRequest(f"--attack {size}: there are {len(people)} people. Give a number up to that.")
    read = {
        one.profile.id: PrivateContext(one.profile, newest_items(one.history, (), top_k), one.preferences)
        for one in people
        if one.profile is not None
    }
    return Crowd(read, size, by_remote)


def asker_of(case: Case) -> str:
    """The id of the profile of who asked. Raises InvalidRequest when nobody in particular did."""
    if case.private.profile is None:
        raise InvalidRequest("--attack: each question must be somebody's. Give it a profile, or --profile.")
    return case.private.profile.id
