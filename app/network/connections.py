"""Client connections: limits on the duration and size of requests, and detection of clients that have left.

They are served by uvicorn's h11 protocol. Its other one, on httptools, parses the body of a request that asks
for an upgrade (`curl --http2`) as a second request, which smuggles requests past whoever filters them; and it
sends chunked responses to HTTP/1.0 clients.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import uuid
from asyncio import TimerHandle, Transport
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from app.errors import InvalidRequest
from app.network.request_reader import RequestReader

log = logging.getLogger(__name__)

# Timeout from a request's first byte to the end of its headers. It also runs while a connection has sent
# nothing, and after a response that was sent before its request was complete.
HEADER_SECONDS = 15.0
# Read at once at most: in the smallest chunks it takes milliseconds to parse, in which nobody else is served.
READ_BYTES = 16 * 1024
# Linger before closing: a client that is still sending gets a reset, and may not see the response.
LINGER_SECONDS = 2.0
# Until a client that has half-closed its connection is probed; doubled each time, up to the longest.
PROBE_SECONDS = 0.02
LONGEST_PROBE_SECONDS = 15.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BoundedProtocol(H11Protocol, asyncio.BufferedProtocol):
    """uvicorn's h11 protocol, with limits on what is read, and for clients that half-close early."""

    header_seconds = HEADER_SECONDS
    _late: TimerHandle | None = None
    _probing: TimerHandle | None = None
    _ended = False  # the client sends nothing more
    _refused = False  # nothing more is read

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn: RequestReader = RequestReader()
        self._read = bytearray(READ_BYTES)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._keep_time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._stop_probing()
        super().connection_lost(exc)
        self._read = bytearray()  # freed now: the rest of a connection waits for the garbage collector

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._read

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self._read)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        # What follows a connection's last request is dropped.
        if self._refused or self.conn.their_state in {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}:
            return
        super().data_received(data)
        self._keep_time()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether the connection stays open for what is still to be sent.

        A client that half-closes before its response begins may wait for it; one that does so later has left.
        """
        if self._refused or self._idle or (self.cycle.response_started and not self._ended):
            return False
        if not self._ended:
            self._ended = True
            if self.conn.their_state is h11.SEND_BODY:
                self._refuse(400, "The connection ended before the body did.")
            else:
                self._probe(PROBE_SECONDS)
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._ended and self._idle:
            self.transport.close()
        self._keep_time()

    def shutdown(self) -> None:
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn when the reader refuses a request."""
        refused = self.conn.refused
        if refused is None:
            self._refuse(400, msg)
        else:
            self._refuse(refused.error_status_hint, str(refused))

    def _should_upgrade(self) -> bool:
        """Every upgrade may be ignored (RFC 9110, 7.8), and none is offered."""
        return False

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _keep_time(self) -> None:
        if not self._idle or self.transport.is_closing():
            self._arrived()
        elif self._late is None:
            self._late = self.loop.call_later(self.header_seconds, self.transport.close)

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: int, message: str) -> None:
        """Send an error as the last response, if none has begun, and drop what the client sends."""
        begun = False
        if not self._idle:  # tell the application, which reads the body, that its client has left
            begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._refused = True
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if begun:
            self.transport.close()
            return
        self.transport.write(_answer(status, message))
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _probe(self, seconds: float) -> None:
        """Probe whether a client that half-closed its connection is still there.

        One that waits for its response and one that has left look the same until something is sent: then the
        latter's machine resets the connection. HTTP/1.0 has nothing that could be sent before a response.
        """

        def ask() -> None:
            if self.transport.is_closing():
                return
            if self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.transport.abort()
                return
            if not self._idle and not self.cycle.response_started and self.scope["http_version"] == "1.1":
                self.transport.write(CONTINUE)
            self._probe(min(2 * seconds, LONGEST_PROBE_SECONDS))

        self._probing = self.loop.call_later(seconds, ask)

    def _stop_probing(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None


def _answer(status: int, message: str) -> bytes:
    """An error response like that of any other request, with a request id that is also logged."""
    request_id = uuid.uuid4().hex
    log.info("refused what is no request: %d", status, extra={"fields": {"request_id": request_id}})
    body = json.dumps(InvalidRequest(message, status=status).body()).encode()
    head = (
        f"HTTP/1.1 {status} {STATUS_PHRASES[status].decode()}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
