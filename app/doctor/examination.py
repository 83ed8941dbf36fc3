"""Runs checks one after another, each with a timeout; an exception in one does not stop the others."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from app.doctor.check import Check, Finding, State, Verdict, failed, skipped
from app.errors import CoSteerError

UNMET = {State.FAILED, State.SKIPPED}


async def examine(
    checks: Sequence[Check], begins: Callable[[str], object] = lambda name: None
) -> AsyncIterator[Finding]:
    """Yields a finding for each check, in order; `begins` is called with a check's name before it runs."""
    states: dict[str, State] = {}
    for check in checks:
        unmet = [name for name in check.needs if states.get(name) in UNMET]
        if unmet:
            verdict = skipped(f"Not looked at, since {unmet[0]} is not in order.")
        else:
            begins(check.name)
            verdict = await _verdict(check)
        states[check.name] = verdict.state
        yield Finding(check.name, verdict.state, verdict.seen, verdict.mend)


async def _verdict(check: Check) -> Verdict:
    try:
        async with asyncio.timeout(check.seconds) as bound:
            return await check.run()
    except TimeoutError as error:
        if not bound.expired():
            return _defect(error)
        return failed(
            f"It took longer than {check.seconds:g} s.",
            "Try again when this machine, and the remote, have less to do.",
        )
    except CoSteerError as error:
        return failed(error.message, "")
    except Exception as error:
        return _defect(error)


def _defect(error: Exception) -> Verdict:
    """A failed verdict for a bug: names the place, but not the message, which might quote anything."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return failed(
        f"The check itself broke: {type(error).__name__} at {Path(last.filename).name}, line {last.lineno}.",
        "That is a defect of costeer. Please report this line.",
    )
