"""Admission of requests: each chat or passed-on request takes a place in a concurrency limiter."""

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
    """The concurrency limits. Passed-on requests need no local model, so they have a limiter of their own."""

    writing: ConcurrencyLimiter
    passing: ConcurrencyLimiter


class Admission:
    """A request's place, taken once the body is read and valid: slow or invalid requests hold none."""

    def __init__(self, request: Request, limiters: Limiters, metrics: Metrics) -> None:
        self._request = request
        self._limiters = limiters
        self._metrics = metrics
        self._place: ConcurrencyLimiter | None = None
        self._written: tuple[Choices, float] | None = None

    async def to_write(self) -> None:
        """Takes a place to write a reply. Raises TooManyRequests; cancelled when the client disconnects."""
        await self._take(self._limiters.writing)

    async def to_pass_on(self) -> None:
        """Likewise for a request that is passed on."""
        await self._take(self._limiters.passing)

    def writes(self, choices: Choices, started: float) -> None:
        """Registers choices for the metrics; `started` is when the request arrived, by the choices' clock."""
        self._written = choices, started

    def end(self) -> None:
        """Frees the place and updates the metrics, once the last byte is sent or the client disconnected."""
        if self._place is not None:
            self._place.leave()
        if self._written is not None:
            choices, started = self._written
            first = None if choices.first_token is None else choices.first_token - started
            with beside_a_reply():
                self._metrics.replied(
                    choices.stats,
                    first,
                    choices.clock() - started,
                    steered=choices.unsteered is None,
                    broke=choices.broke,
                )

    async def _take(self, places: ConcurrencyLimiter) -> None:
        if not places.take_free():
            await while_present(self._request, places.take())
        self._place = places


def install(app: FastAPI, limiters: Limiters, metrics: Metrics) -> None:
    """Puts the limiters and metrics into the app's state, for AdmissionDep."""
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
