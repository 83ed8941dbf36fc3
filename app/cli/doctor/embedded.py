"""What there is to say of a remote that is a model in this process: nothing that would have to be reached."""

from __future__ import annotations

from collections.abc import Sequence

from app.cli.doctor.check import Check, Verdict, skipped


def checks(names: Sequence[str]) -> list[Check]:
    """A skipped check in the place of each that a vLLM would have."""
    return [Check(name, _embedded) for name in names]


async def _embedded() -> Verdict:
    return skipped("The remote is embedded")
