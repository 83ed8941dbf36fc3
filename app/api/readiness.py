"""Whether replies can be written now, part by part: what GET /ready says."""

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

# Probes within so many seconds share an answer, so that they cost the remote and the disk nothing.
KEPT_SECONDS = 2.0
# A part that has not answered by then is not ready; probes give up soon themselves.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Report:
    """Of each part the reason why it is not ready; None where it is. `alignment` says how the remote's tokens
    are found among the local ones, once both are compared."""

    parts: dict[str, str | None]
    alignment: str | None = None

    @property
    def ready(self) -> bool:
        return not any(self.parts.values())


class Readiness:
    """Asks the parts, at most once in a while. Reasons are of fixed words: whoever asks needs no key."""

    def __init__(self, proxy: Proxy | None) -> None:
        self.proxy = None if proxy is None else str(proxy)
        self._asking = asyncio.Lock()
        self._report: tuple[float, Report] | None = None

    async def report(self, parts: Parts) -> Report:
        """As of now, or of a moment ago."""
        async with self._asking:
            if self._report is None or time.monotonic() - self._report[0] > KEPT_SECONDS:
                report = await _look(parts)
                self._report = time.monotonic(), report
            return self._report[1]


def install(app: FastAPI, proxy: Proxy | None) -> None:
    """`proxy` is the one that the remote is reached through."""
    app.state.readiness = Readiness(proxy)


def readiness_of(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


async def _look(parts: Parts) -> Report:
    remote, database = await asyncio.gather(
        _reason(_listed(parts), "The remote does not answer."),
        _reason(asyncio.to_thread(parts.store.check), "The database cannot be written."),
    )
    tokenizer: str | None = "Not compared yet: the remote is not ready."
    if remote is None:
        compared = parts.generator.alignment()
        tokenizer = await _reason(compared, "The remote's tokenizer could not be compared.")
    # The server starts once the local model is loaded.
    reasons = {"remote": remote, "tokenizer": tokenizer, "local_model": None, "database": database}
    return Report(reasons, await parts.generator.alignment() if tokenizer is None else None)


async def _listed(parts: Parts) -> None:
    """The remote lists the model that is steered. Raises what the remote raises, and ModelNotFound."""
    listed = await parts.remote.cards()
    if (await parts.remote.card()).id not in [card.id for card in listed]:
        raise ModelNotFound("The remote does not list its model any more.")


async def _reason(work: Awaitable[object], failed: str) -> str | None:
    """Why it failed, or None. The error's own text stays here, since it may name hosts and files."""
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
