"""How strongly a reply is steered: by a number, or as has been measured to be best."""

from __future__ import annotations

from typing import Literal

AUTO: Literal["auto"] = "auto"
# AUTO is Bayes' rule between local distributions to which so much of the remote's is added (see steering.py),
# among candidates of the local model as well (see unlisted.py).
AUTO_STRENGTH, AUTO_SMOOTHING = 1.0, 0.3

# 0 leaves the reply to the remote. See docs/evaluation.md for what is behind AUTO.
Strength = float | Literal["auto"]


def steers(strength: Strength) -> bool:
    """Whether anything is steered."""
    return strength == AUTO or strength > 0.0


def constant(strength: Strength) -> float:
    """What local_delta is multiplied by."""
    return AUTO_STRENGTH if strength == AUTO else strength


def resolve_strength(*given: Strength | None) -> Strength:
    """The first one that is given: a request's before its profile's before the setting's."""
    return next(strength for strength in given if strength is not None)
