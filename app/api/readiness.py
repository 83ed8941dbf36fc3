"""The readiness check behind GET /ready: whether the models and what is stored are usable now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass

import anyio
from fastapi import FastAPI, Request

from app.api.dependencies import Parts
from app.errors import CoSteerError, ModelNotFound, StoreError
from app.network.proxy import Proxy
from app.remote.interface import HasReplicas, State

# Seconds for which a report is cached, so that frequent probes do not load the remote and the disk.
KEPT_SECONDS = 2.0
# Timeout of each part, after which it is not ready; probes themselves time out soon.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Report:
    """For each part why it is not ready, or None if it is. `alignment` says how the remote's tokens are
    mapped to the local model's, once the two vocabularies are compared, and `remotes` how each of several
    does."""

    parts: dict[str, str | None]
    alignment: str | None = None
    remotes: list[State] | None = None

    @property
    def ready(self) -> bool:
        return not any(self.parts.values())


class Readiness:
    """Checks the parts, and caches the report. Reasons are fixed texts, since /ready needs no API key."""

    def __init__(self, proxy: Proxy | None) -> None:
        self.proxy = None if proxy is None else str(proxy)
        self._asking = asyncio.Lock()
        self._report: tuple[float, Report] | None = None

    async def report(self, parts: Parts) -> Report:
        """A report that is at most KEPT_SECONDS old."""
        async with self._asking:
            if self._report is None or time.monotonic() - self._report[0] > KEPT_SECONDS:
                report = await _look(parts)
                self._report = time.monotonic(), report
            return self._report[1]


def install(app: FastAPI, proxy: Proxy | None) -> None:
    """Puts the check into the app's state; `proxy` is the one to the remote, if any."""
    app.state.readiness = Readiness(proxy)


def readiness_of(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


async def _look(parts: Parts) -> Report:
    remote, local, database, state = await asyncio.gather(
        _reason(_listed(parts), "The remote does not answer."),
        _reason(parts.generator.check_local(), "The server of the small model cannot be used."),
        _reason(asyncio.to_thread(parts.store.check), "The database cannot be written."),
        _reason(_shared(parts), "What the workers share cannot be written."),
    )
    tokenizer: str | None = "Not compared yet: the remote is not ready."
    if remote is None:
        compared = parts.generator.alignment()
        tokenizer = await _reason(compared, "The remote's tokenizer could not be compared.")
    # One in this process was loaded before the start.
    reasons = {"remote": remote, "tokenizer": tokenizer, "local_model": local, "database": database}
    if parts.board is not None:
        reasons["state"] = state
    return Report(
        reasons,
        await parts.generator.alignment() if tokenizer is None else None,
        parts.remote.states() if isinstance(parts.remote, HasReplicas) else None,
    )


async def _shared(parts: Parts) -> None:
    """Checks the file that several workers share. Raises StoreError."""
    if parts.board is not None:
        await asyncio.to_thread(parts.board.check)


async def _listed(parts: Parts) -> None:
    """Checks that the remote lists the steered model. Raises ModelNotFound, and the remote's errors."""
    listed = await parts.remote.cards()
    if (await parts.remote.card()).id not in [card.id for card in listed]:
        raise ModelNotFound("The remote does not list its model any more.")


async def _reason(work: Awaitable[object], failed: str) -> str | None:
    """Why `work` failed, or None. The error's own text is left out, since it may name hosts and files."""
    try:
        with anyio.fail_after(PATIENCE_SECONDS):
            await work
    except TimeoutError:
        return f"{failed} (timeout)"
    except StoreError as error:
        return f"{failed} ({error.reason})"
    except CoSteerError as error:
        return f"{failed} ({error.code})"
    return None
