"""Server-sent events of a reply that is written here, with pings, and a grace period at shutdown."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

import anyio
import orjson
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from app.api.error_handlers import shutting_down, unforeseen
from app.decoding.stats import Clock
from app.errors import CoSteerError

# At DEBUG it would log every chunk of a reply.
logging.getLogger("sse_starlette").setLevel(logging.INFO)

PING_SECONDS = 15
# Seconds that a stream has to finish after a shutdown signal; then it ends with its next piece.
FINISH_SECONDS = 8.0
# After a signal a stream that waits for the remote, and so cannot end by itself, is cut off after these. Less
# than the server's own grace.
STALLED_SECONDS = 9


class Grace:
    """The grace period of a stream once the server is `closing`."""

    def __init__(self, closing: anyio.Event, clock: Clock) -> None:
        self._closing, self._clock = closing, clock
        self._until: float | None = None

    def check(self) -> None:
        """Raises CoSteerError once the grace period is over."""
        if not self._closing.is_set():
            return
        if self._until is None:
            self._until = self._clock() + FINISH_SECONDS
        if self._clock() > self._until:
            raise shutting_down()


def stream_of_steps(steps: AsyncGenerator[BaseModel, None], clock: Clock) -> EventSourceResponse:
    """The response to a request whose work is done in steps; see `_told`."""
    return event_stream(lambda closing: _told(steps, closing, clock), {})


async def _told(
    steps: AsyncGenerator[BaseModel, None], closing: anyio.Event, clock: Clock
) -> AsyncGenerator[dict[str, str], None]:
    """The events of work that is done in steps: each as JSON, then [DONE]; after a failure an error, and no
    [DONE]."""
    grace = Grace(closing, clock)
    try:
        async with aclosing(steps):
            async for one in steps:
                yield {"data": one.model_dump_json()}
                grace.check()
    except CoSteerError as error:
        yield {"data": orjson.dumps(error.body()).decode()}
        return
    except Exception as error:
        yield {"data": orjson.dumps(unforeseen(error).body()).decode()}
        return
    yield {"data": "[DONE]"}


def event_stream(
    events: Callable[[anyio.Event], AsyncGenerator[dict[str, str], None]], headers: Mapping[str, str]
) -> EventSourceResponse:
    """The response that sends `events`, which is called with what is set once the server closes."""
    closing = anyio.Event()
    return EventSourceResponse(
        events(closing),
        headers=headers,
        sep="\n",
        ping=PING_SECONDS,
        shutdown_event=closing,
        shutdown_grace_period=STALLED_SECONDS,
    )
