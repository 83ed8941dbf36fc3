"""Runs checks and gives their findings by name."""

from __future__ import annotations

from collections.abc import Sequence

from app.doctor.check import Check, Finding
from app.doctor.examination import examine


async def findings(checks: Sequence[Check]) -> dict[str, Finding]:
    return {finding.name: finding async for finding in examine(checks)}
