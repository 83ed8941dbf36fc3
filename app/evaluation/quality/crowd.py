"""The people whom an attacker knows, of whom one has asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.evaluation.quality.cases import Case
from app.prompts.private import PrivateContext

Attacker = Literal["small", "remote"]


@dataclass(frozen=True, repr=False)
class Crowd:
    """Everybody who might be drawn, by the id of their profile and in the order of the draw, with what an
    attacker reads of each; `size` of them are the candidates for one reply. `attacker` is the model of the
    black box attacker."""

    people: Mapping[str, PrivateContext]
    size: int
    attacker: Attacker = "small"

    def candidates(self, case: Case) -> tuple[str, ...]:
        """Who may have asked: who has, and then the others that were drawn first, whoever it was."""
        own = asker_of(case)
        others = [one for one in self.people if one != own]
        return (own, *others[: self.size - 1])


def asker_of(case: Case) -> str:
    """The id of the profile of who has asked."""
    assert case.private.profile is not None  # noqa: S101  # as the command has seen to
    return case.private.profile.id
