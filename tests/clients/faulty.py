"""A relay to a vLLM that passes every byte on until, once, it does what a broken remote does."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

ENGINE_DEAD = {
    "error": {
        "message": "EngineCore encountered an issue. See stack trace (above) for the root cause.",
        "type": "InternalServerError",
        "param": None,
        "code": 500,
    }
}
DATA = json.dumps(ENGINE_DEAD).encode()
FAILURE = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(DATA), DATA)
)


def chunk(data: bytes) -> bytes:
    """The end of the chunk before, and one more."""
    return b"\r\n%x\r\n%s" % (len(data), data)


LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Fault:
    """Comes at the end of the `event`-th event of drafts since it was armed, or at their `byte`.

    The answer goes on with `adds` and is `cut` then. Where it is not, it `hangs` for so many seconds. For
    `stalls` seconds no byte passes on any connection; for `fails` seconds every request is answered with 500.
    """

    event: int | None = None
    byte: int | None = None
    adds: bytes = b""
    cut: bool = True
    hangs: float = 0.0
    stalls: float = 0.0
    fails: float = 0.0


@dataclass
class _Link:
    """A connection of the proxy's, and the one behind it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upstream: asyncio.StreamReader
    target: asyncio.StreamWriter
    drafting: bool = False  # the request that is being answered is one for a draft


@dataclass
class Relay:
    """Listens on `port` while it is up. `happened` is set once the fault has come."""

    target: int = 0
    port: int = 0
    happened: asyncio.Event = field(default_factory=asyncio.Event)
    events: int = 0  # of drafts, since it was armed; and their bytes, head and all
    passed: int = 0
    _fault: Fault | None = None
    _stalled_until: float = 0.0
    _fails_until: float = 0.0
    _server: asyncio.Server | None = None
    _links: list[_Link] = field(default_factory=list)

    async def up(self) -> None:
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)

    async def down(self) -> None:
        """Refuse connections, and cut off those that are open."""
        if self._server is not None:
            self._server.close()
        for link in self._links:
            link.writer.transport.abort()
            link.target.transport.abort()

    def arm(self, fault: Fault | None) -> None:
        self._fault = fault
        self._stalled_until = self._fails_until = 0.0
        self.events = self.passed = 0
        self.happened.clear()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, target = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(reader, writer, upstream, target)
        self._links.append(link)
        pumps = [asyncio.create_task(self._requests(link)), asyncio.create_task(self._answers(link))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            self._links.remove(link)
            writer.close()
            target.transport.abort()

    async def _requests(self, link: _Link) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await link.reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await link.reader.readexactly(int(length[1]) if length else 0)
                await self._flowing()
                if time.monotonic() < self._fails_until:
                    link.writer.write(FAILURE)
                    continue
                link.drafting = b" /v1/completions " in head.partition(b"\r\n")[0]
                link.target.write(head + body)
                await link.target.drain()

    async def _answers(self, link: _Link) -> None:
        with suppress(ConnectionError):
            while data := await link.upstream.read(65536):
                await self._flowing()
                place = self._place(data) if link.drafting else None
                fault = self._fault
                if place is None or fault is None:
                    link.writer.write(data)
                    await link.writer.drain()
                    continue
                self._fault = None
                now = time.monotonic()
                self._stalled_until, self._fails_until = now + fault.stalls, now + fault.fails
                self.happened.set()
                link.writer.write(data[:place] + fault.adds)
                if fault.cut:
                    return
                await asyncio.sleep(fault.hangs)
                await self._flowing()
                link.writer.write(data[place:])

    def _place(self, data: bytes) -> int | None:
        """Where in these bytes of a draft the fault comes, if it does; counts them."""
        fault, seen = self._fault, self.passed
        self.passed += len(data)
        place = None
        for event in re.finditer(rb"\}\n\n", data):
            self.events += 1
            if fault is not None and self.events == fault.event:
                place = event.end()
        if fault is not None and fault.byte is not None and seen <= fault.byte < self.passed:
            place = fault.byte - seen
        return place

    async def _flowing(self) -> None:
        await asyncio.sleep(max(0.0, self._stalled_until - time.monotonic()))
