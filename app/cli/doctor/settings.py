"""The check of the settings: every variable is known, every value is valid, and .env is readable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.cli.doctor.check import Check, Verdict, failed, ok, warning


def checks(mistakes: Sequence[str], unknown: Sequence[str], correct: str, env_file: Path) -> list[Check]:
    """`mistakes` are sentences about invalid settings, which prevent a start; `unknown` are sentences about
    variables that nothing reads; `correct` says where to fix them."""

    where = f"the environment and {env_file}" if env_file.exists() else "the environment (no .env here)"

    async def verdict() -> Verdict:
        if mistakes:
            return failed(" ".join((*mistakes, *unknown)), correct)
        if unknown:
            return warning(" ".join(unknown), "Correct or unset it; .env.example lists all settings.")
        return ok(f"Read from {where}")

    return [Check("settings", verdict)]
