"""What a check is, and what it finds: its state, what was seen, and what mends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`warning` works, but not as it could; `failed` does not; `skipped` could not be looked at."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """What a check says: what was `seen`, and the command or setting that mends it, if that needs one."""

    state: State
    seen: str
    mend: str = ""


@dataclass(frozen=True)
class Finding:
    """A check's verdict under its name."""

    name: str
    state: State
    seen: str
    mend: str = ""


@dataclass(frozen=True)
class Check:
    """One question. It is `skipped` where a check that it `needs` has failed or was skipped itself.

    `seconds` is the time after which it counts as failed. It may raise a CoSteerError, whose message is then
    what was seen.
    """

    name: str
    run: Callable[[], Awaitable[Verdict]]
    needs: tuple[str, ...] = ()
    seconds: float = 30.0


def ok(seen: str) -> Verdict:
    return Verdict(State.OK, seen)


def warning(seen: str, mend: str) -> Verdict:
    return Verdict(State.WARNING, seen, mend)


def failed(seen: str, mend: str) -> Verdict:
    return Verdict(State.FAILED, seen, mend)


def skipped(seen: str, mend: str = "") -> Verdict:
    return Verdict(State.SKIPPED, seen, mend)
