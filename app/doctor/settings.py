"""The check of the settings: every name is known, every value is valid, and the files are readable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.doctor.check import Check, Verdict, failed, ok, warning

STARTED = "Those that this server was started with; what is changed since counts from its next start"


def checks(
    mistakes: Sequence[str],
    unknown: Sequence[str],
    correct: str,
    env_file: Path,
    config: Path | None,
    *,
    exposed: bool = False,
) -> list[Check]:
    """`mistakes` are sentences about invalid settings, which prevent a start; `unknown` are sentences about
    variables that nothing reads; `correct` says where to fix them. `exposed`: `config`, which is config.toml,
    holds a secret that others may read."""
    environment = f"the environment and {env_file}" if env_file.exists() else "the environment (no .env here)"
    there = config is not None and config.exists()
    where = f"{environment}, and {config}" if there else f"{environment}; there is no config.toml"

    async def verdict() -> Verdict:
        if mistakes:
            return failed(" ".join((*mistakes, *unknown)), correct)
        if unknown:
            return warning(" ".join(unknown), "Correct or unset it; .env.example lists all settings.")
        if exposed:
            return warning(f"{config} holds a secret, and other users may read it.", f"chmod 600 {config}")
        return ok(f"Read from {where}")

    return [Check("settings", verdict)]


def started() -> Check:
    """The check for a server that runs: invalid settings would have prevented that."""

    async def verdict() -> Verdict:
        return ok(STARTED)

    return Check("settings", verdict)
