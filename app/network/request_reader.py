"""Reads requests off a connection with h11, and refuses some that h11 would let through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    from h11._events import Event

# The limit of a request line with its headers, of a chunk's extensions, and of trailers.
HEAD_KIB = 64
# Empty lines before a request: a client may send one after a body, and an endless number would keep us busy.
MOST_EMPTY_LINES = 8
# From so many chunks on, a body must have so many bytes in each on average: parsing takes time per chunk.
MANY_CHUNKS, CHUNK_BYTES = 1000, 16
VERSIONS = {b"1.0", b"1.1"}
# RFC 9110, 7.2, by the grammar of RFC 3986, 3.2.2 and 3.2.3; empty where a target has no authority.
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(:[0-9]*)?")
ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)
GENERAL = {
    400: "The request is not valid HTTP/1.1: its request line, a header or the framing of its body is wrong.",
    431: f"The request's headers are larger than {HEAD_KIB} KiB. Send fewer or shorter ones.",
    501: "A body comes with Content-Length, or with Transfer-Encoding: chunked and no other coding.",
}


class Refused(h11.RemoteProtocolError):
    """Why a request is refused. The message is for the client; h11's own would quote what was sent."""


class RequestReader(h11.Connection):
    """h11's server-side connection; `refused` is why nothing more is read."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=HEAD_KIB * 1024)
        self.refused: Refused | None = None
        self._empty_lines = self._chunks = self._chunked = 0

    def next_event(self) -> Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As h11's. Raises Refused."""
        try:
            if self.their_state is h11.IDLE and not self._skip_empty_lines():
                return h11.NEED_DATA
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._empty_lines = self._chunks = self._chunked = 0
                return _checked(event)
            if isinstance(event, h11.Data):
                self._count(event)
            return event
        except Refused as error:
            self.refused = error
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint if error.error_status_hint in GENERAL else 400
            self.refused = Refused(GENERAL[status], error_status_hint=status)
        raise self.refused

    def _skip_empty_lines(self) -> bool:
        """Skip the empty line that some clients send after a body (RFC 9112, 2.2).

        False if half of one is all that has come. Raises Refused.
        """
        while len(self._receive_buffer):
            data, ended = self.trailing_data
            if data == b"\r" and not ended:
                return False
            if not data.startswith(b"\r\n"):
                break
            self._empty_lines += 1
            if self._empty_lines > MOST_EMPTY_LINES:
                raise Refused("A request begins with its request line.", error_status_hint=400)
            self._receive_buffer.maybe_extract_next_line()
        return True

    def _count(self, data: h11.Data) -> None:
        self._chunks += data.chunk_start
        self._chunked += len(data.data)
        if self._chunks >= MANY_CHUNKS and self._chunked < self._chunks * CHUNK_BYTES:
            raise Refused("The body comes in too many tiny chunks. Send larger ones.", error_status_hint=400)


def _checked(request: h11.Request) -> h11.Request:
    """The request as it is served. Raises Refused for what other servers in a chain may parse differently."""
    headers = request.headers
    if request.http_version not in VERSIONS:
        raise Refused("This server speaks HTTP/1.1 and HTTP/1.0.", error_status_hint=505)
    if len(request.target) + sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_KIB * 1024:
        raise Refused(GENERAL[431], error_status_hint=431)
    names = {name for name, _ in headers}
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0"):
        raise Refused(
            "Transfer-Encoding goes with HTTP/1.1, and without Content-Length.", error_status_hint=400
        )
    if (absolute := ABSOLUTE.fullmatch(request.target)) is not None:
        request = _relative(request, *absolute.groups())
    elif not _leads_here(request):
        raise Refused("The request's target must be a path that begins with /.", error_status_hint=400)
    if not all(HOST.fullmatch(value) for name, value in request.headers if name == b"host"):
        raise Refused("The Host header must be a host, with or without a port.", error_status_hint=400)
    return request


def _relative(request: h11.Request, authority: bytes, path: bytes) -> h11.Request:
    """The request in origin form. In absolute form the target names the host, not Host (RFC 9112, 3.2.2)."""
    others = [(name, value) for name, value in request.headers if name != b"host"]
    return h11.Request(
        method=request.method,
        target=path if path.startswith(b"/") else b"/" + path,
        headers=[(b"host", authority), *others],
        http_version=request.http_version,
    )


def _leads_here(request: h11.Request) -> bool:
    return (
        request.target.startswith(b"/")
        or request.method == b"CONNECT"
        or (request.method, request.target) == (b"OPTIONS", b"*")
    )
