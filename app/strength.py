"""How strongly a reply is steered: by a number, or as has been measured to be best."""

from __future__ import annotations

from typing import Literal

AUTO: Literal["auto"] = "auto"
# What AUTO multiplies local_delta by.
AUTO_STRENGTH = 0.5

# 0 leaves the reply to the remote. See README.md, "What it brings", for what is behind AUTO.
Strength = float | Literal["auto"]


def steers(strength: Strength) -> bool:
    """Whether anything is steered."""
    return strength == AUTO or strength > 0.0


def constant(strength: Strength) -> float:
    """What local_delta is multiplied by."""
    return AUTO_STRENGTH if strength == AUTO else strength
