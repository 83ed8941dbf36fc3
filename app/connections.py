"""Connections, given up when their client does not say what it wants: uvicorn has no bound for that."""

from __future__ import annotations

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# From a request's first byte to the end of its headers; a connection without any byte counts as begun.
HEADER_SECONDS = 15.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's, with a time within which a request's headers have to arrive."""

    header_seconds = HEADER_SECONDS
    _late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect()

    def on_headers_complete(self) -> None:
        self._arrived()
        super().on_headers_complete()

    def _expect(self) -> None:
        if self._late is None:  # the first request's time began with the connection
            self._late = self.loop.call_later(self.header_seconds, self._give_up)

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        # Nothing more is read; an answer to an earlier request that is still being sent is sent first.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
