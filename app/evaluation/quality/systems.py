"""The systems that an evaluation compares: a model that writes alone, or both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.evaluation.quality.forms import PRODUCT, named
from app.evaluation.quality.rules import LOCAL_ALONE, PAPER_LOOP, PAPERS, REMOTE_ALONE, SHOWN, listed
from app.evaluation.quality.strengths import AS_THE_PRODUCT, Tried

Kind = Literal["remote", "shown", "local", "steered", "loop"]


@dataclass(frozen=True)
class System:
    """How replies are written; `form` is that of the prompts, `tried` the strength of a steered one, and
    `plain` the name without the form."""

    plain: str
    kind: Kind
    form: str = PRODUCT
    tried: Tried | None = None

    @property
    def name(self) -> str:
        """Its name in reports."""
        return named(self.plain, self.form)

    def rule(self, top: int) -> str | None:
        """The name, without a form, of the rule that it writes by where the remote lists `top` tokens; None
        for the paper's loop, of which texts are not judged."""
        if self.tried is not None:
            return listed(self.tried, top).name
        return None if self.kind == "loop" else self.plain


def systems(tried: Sequence[Tried], forms: Sequence[str], *, loop: bool) -> list[System]:
    """The systems that are compared: the remote alone, and in each form of prompts those that read of the
    person; the last, with `loop`, is the paper's own loop."""
    strengths = dict.fromkeys((AS_THE_PRODUCT, *tried, PAPERS))
    return [
        System(REMOTE_ALONE, "remote"),
        *(
            system
            for form in forms
            for system in (
                System(SHOWN, "shown", form),
                System(LOCAL_ALONE, "local", form),
                *(System(one.name, "steered", form, one) for one in strengths),
                *([System(PAPER_LOOP, "loop", form)] if loop else []),
            )
        ),
    ]
