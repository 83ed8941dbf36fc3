"""How strongly a reply is steered: a number, or "auto", the rule that was measured to be best."""

from __future__ import annotations

from typing import Literal

AUTO: Literal["auto"] = "auto"
# AUTO is Bayes' rule (strength 1) between local distributions smoothed with this share of the
# remote's (see formula.py), over candidates that include some of the local model's own (see candidates.py).
AUTO_STRENGTH, AUTO_SMOOTHING = 1.0, 0.3
# The margin that goes with it, in nats (see margin.py).
AUTO_MARGIN = 0.2
# What multiplies the strength for preferences: a small model takes how replies should be less to heart than
# who writes them.
PREFERENCE_WEIGHT = 1.6

# 0 leaves the reply to the remote. For what is behind AUTO see docs/evaluation.md, "What `auto` is, and why".
Strength = float | Literal["auto"]


def steers(strength: Strength) -> bool:
    """Whether this strength steers at all."""
    return strength == AUTO or strength > 0.0


def constant(strength: Strength, auto: float = AUTO_STRENGTH) -> float:
    """The number that local_delta is multiplied by; `auto` is what AUTO stands for."""
    return auto if strength == AUTO else strength


def resolve_margin(given: float | None, strength: Strength) -> float:
    """The margin that is given, in nats; else AUTO's own, and none with a number for strength."""
    if given is not None:
        return given
    return AUTO_MARGIN if strength == AUTO else 0.0


def resolve_strength(*given: Strength | None) -> Strength:
    """The first one that is given: a request's before its profile's before the setting's."""
    return next(strength for strength in given if strength is not None)
