"""The checks for an embedded remote: all those of a vLLM, skipped, since there is no server to reach."""

from __future__ import annotations

from collections.abc import Sequence

from app.doctor.check import Check, Verdict, skipped


def checks(names: Sequence[str]) -> list[Check]:
    """A skipped check for each name."""
    return [Check(name, _embedded) for name in names]


async def _embedded() -> Verdict:
    return skipped("The remote is embedded")
