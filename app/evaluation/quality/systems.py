"""The systems that an evaluation compares: a model that writes alone, or both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.evaluation.quality.rules import LOCAL_ALONE, PAPER_LOOP, PAPER_STRENGTH, REMOTE_ALONE, SHOWN
from app.steering.formula import strength as papers_strength
from app.steering.strength import AUTO, Strength

Kind = Literal["remote", "shown", "local", "steered", "loop"]


@dataclass(frozen=True)
class System:
    """Its name in reports, and how it writes; `strength` is that of a steered one."""

    name: str
    kind: Kind
    strength: Strength = 0.0


def systems(strengths: Sequence[float], *, loop: bool) -> list[System]:
    """The systems that are compared; the last, with `loop`, is the paper's own loop."""
    return [
        System(REMOTE_ALONE, "remote"),
        System(SHOWN, "shown"),
        System(LOCAL_ALONE, "local"),
        System(AUTO, "steered", AUTO),
        *(System(f"strength {one:g}", "steered", one) for one in dict.fromkeys(strengths)),
        System(PAPER_STRENGTH, "steered", papers_strength()),
        *([System(PAPER_LOOP, "loop")] if loop else []),
    ]
