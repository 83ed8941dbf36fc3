"""When a request's turn comes: so many are answered at once, and others wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from app.api.disconnect import while_present
from app.api.error_handlers import beside_a_reply
from app.api.limiter import ConcurrencyLimiter
from app.api.metrics import Metrics
from app.decoding.choices import Choices


@dataclass(frozen=True)
class Limiters:
    """Who is answered at once. What is passed on needs no model of this machine: it has places of its own."""

    writing: ConcurrencyLimiter
    passing: ConcurrencyLimiter


class Admission:
    """One request's, taken once its body is read and found right: no slow or wrong one holds a place."""

    def __init__(self, request: Request, limiters: Limiters, metrics: Metrics) -> None:
        self._request = request
        self._limiters = limiters
        self._metrics = metrics
        self._place: ConcurrencyLimiter | None = None
        self._written: tuple[Choices, float] | None = None

    async def to_write(self) -> None:
        """Raises TooManyRequests; ends with the client's leaving."""
        await self._take(self._limiters.writing)

    async def to_pass_on(self) -> None:
        """Likewise."""
        await self._take(self._limiters.passing)

    def writes(self, choices: Choices, started: float) -> None:
        """What they cost is counted in the end; `started` is when the request came, by their clock."""
        self._written = choices, started

    def end(self) -> None:
        """Once the last byte is sent, or the client has left."""
        if self._place is not None:
            self._place.leave()
        if self._written is not None:
            choices, started = self._written
            first = None if choices.first_token is None else choices.first_token - started
            with beside_a_reply():
                self._metrics.replied(choices.stats, first, steered=choices.unsteered is None)

    async def _take(self, places: ConcurrencyLimiter) -> None:
        if not places.take_free():
            await while_present(self._request, places.take())
        self._place = places


def install(app: FastAPI, limiters: Limiters, metrics: Metrics) -> None:
    """For `TurnDep`."""
    app.state.limiters, app.state.metrics = limiters, metrics
    metrics.watch("written", limiters.writing)
    metrics.watch("passed_on", limiters.passing)


async def admission_of(request: Request) -> AsyncIterator[Admission]:
    state = request.app.state
    admission = Admission(request, state.limiters, state.metrics)
    try:
        yield admission
    finally:
        admission.end()


AdmissionDep = Annotated[Admission, Depends(admission_of)]
