"""Checks of several remotes: each by itself, and whether they serve one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.doctor.check import Check, Verdict, failed, ok, warning
from app.remote.replicas import Replicas

NAME = "remotes"
MEND = "What is wrong with it stands above. COSTEER_REMOTE_BASE_URL lists them in their order."


def numbered(checks: Sequence[Check], number: int) -> list[Check]:
    """The checks of one of them, with its number in their names."""
    return [
        replace(one, name=f"{one.name} {number}", needs=tuple(f"{need} {number}" for need in one.needs))
        for one in checks
    ]


def compared(replicas: Replicas) -> Check:
    """Whether all of them serve the same model, so that each can go on where another fails."""
    return Check(NAME, lambda: _compared(replicas), seconds=60)


async def _compared(replicas: Replicas) -> Verdict:
    await replicas.compare()
    away = [one for one in replicas.all if not one.ready]
    reasons = " ".join(f"Remote {one.number}: {one.error.message}" for one in away if one.error is not None)
    if len(away) == len(replicas.all) or replicas.card is None:
        return failed(f"None of the {len(replicas.all)} can be used. {reasons}", MEND)
    if away:
        used = len(replicas.all) - len(away)
        return warning(f"{used} of {len(replicas.all)} can be used. {reasons}", MEND)
    most = replicas.card.max_model_len
    size = "" if most is None else f", {most:,} tokens"
    return ok(f"All {len(replicas.all)} serve {replicas.card.id}{size}: each goes on where another fails")
