"""Simulates a distant, steadily paced remote: delays the bytes of a near one, and changes none of them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import orjson

from app.network.outgoing import network

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

# httpcore's trace events (1.0): a pooled connection that is reused has neither of the first two.
HANDSHAKES = ("connection.connect_tcp.complete", "connection.start_tls.complete")
SENDING = ".send_request_headers.started"
# A blank line, whichever line ending the server uses; a CR LF is never taken for two.
EVENT_END = re.compile(rb"(?>\r\n|\n|\r){2}")


class FarTransport(httpx.AsyncBaseTransport):
    """Wraps a transport, that of a Connection by default. `rtt` and `pace` are in seconds.

    Each request reaches the server one `rtt` late, and so all of its response comes one `rtt` late; a new TCP
    connection costs one more, its TLS handshake another. Each token of a streamed response leaves at least
    `pace` after the one before it, and the first `pace` after the request arrived: a remote that takes so
    long for a token does so for the first one too. Nothing else in a response is delayed, and closing reaches
    the server at once.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport | None = None,
        *,
        rtt: float,
        pace: float,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inner = inner or network(None)
        self._rtt = rtt
        self._pace = pace
        self._clock = clock
        self._sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        handshakes = 0
        arrived: float | None = None
        traced = request.extensions.get("trace")

        async def trace(event: str, info: dict[str, Any]) -> None:
            nonlocal handshakes, arrived
            handshakes += event in HANDSHAKES
            if event.endswith(SENDING):
                # Sleep once the request holds its connection: before, another request could take it
                # meanwhile. And not right after a handshake: a request that is cancelled there leaves its
                # socket to the garbage collector.
                await self._sleep((1 + handshakes) * self._rtt)
                handshakes, arrived = 0, self._clock()
            if traced is not None:
                await traced(event, info)

        request.extensions = {**request.extensions, "trace": trace}
        if self._pace:
            request.headers["Accept-Encoding"] = "identity"  # events cannot be found in a compressed body
        response = await self._inner.handle_async_request(request)
        if arrived is None:  # a transport without trace events
            await self._sleep(self._rtt)
            arrived = self._clock()
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        if self._pace and streamed and isinstance(response.stream, httpx.AsyncByteStream):
            pace = Pace(self._pace, arrived, self._clock, self._sleep)
            response.stream = _Paced(response.stream, pace, self._clock)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Pace:
    """When the tokens of one stream leave: each at least `seconds` after the one before, the first after
    `began`."""

    def __init__(self, seconds: float, began: float, clock: Clock, sleep: Sleep) -> None:
        self._seconds = seconds
        self._due = began  # when the last token left
        self._clock = clock
        self._sleep = sleep

    async def wait(self, count: int = 1, *, ready: float | None = None) -> None:
        """Sleep until `count` more tokens have left, which are not there before `ready`."""
        # Counted from when the last token was due, not from when it left, or late wake-ups would add up.
        due = self._due + count * self._seconds
        self._due = due if ready is None else max(ready, due)
        left = self._due - self._clock()
        if left > 0:
            await self._sleep(left)


class _Paced(httpx.AsyncByteStream):
    """A body of server-sent events, each released when its tokens are due."""

    def __init__(self, inner: httpx.AsyncByteStream, pace: Pace, clock: Clock) -> None:
        self._inner = inner
        self._pace = pace
        self._clock = clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        unfinished = b""
        async for chunk in self._inner:
            unfinished += chunk
            while end := EVENT_END.search(unfinished):
                event, unfinished = unfinished[: end.end()], unfinished[end.end() :]
                if count := tokens(event):
                    await self._pace.wait(count, ready=self._clock())
                yield event
        if unfinished:
            yield unfinished

    async def aclose(self) -> None:
        await self._inner.aclose()


def tokens(event: bytes) -> int:
    """How many tokens one of vLLM's server-sent events holds: by its token ids, else one per choice."""
    data = b"".join(line[5:] for line in event.splitlines() if line.startswith(b"data:"))
    try:
        choices = orjson.loads(data).get("choices") or []
        return sum(1 if (ids := choice.get("token_ids")) is None else len(ids) for choice in choices)
    except (ValueError, AttributeError, TypeError):  # [DONE], or nothing of vLLM's
        return 0
