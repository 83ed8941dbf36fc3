"""The types of a check and its finding: the state, what was seen, and how to fix it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`warning`: works, but not as well as it could; `failed`: does not work; `skipped`: not checked."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """A check's result: what was `seen`, and the command or setting that fixes it, if anything is wrong."""

    state: State
    seen: str
    mend: str = ""


@dataclass(frozen=True)
class Finding:
    """A verdict with the name of its check."""

    name: str
    state: State
    seen: str
    mend: str = ""


@dataclass(frozen=True)
class Check:
    """One check. It is skipped if a check that it `needs` failed or was skipped.

    `seconds` is its timeout, after which it counts as failed. `run` may raise CoSteerError, whose message is
    then what was seen.
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
