"""Servers on loopback, which misbehave on the socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson

from app.remote.vllm import VLLMRemote
from remote.recordings import (
    events,
    recording,
    stream,
)


class Connection:
    """One connection to the imitated vLLM, as its server sees it."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.body = b""
        self._reader = reader
        self.writer = writer

    async def request(self) -> tuple[str, dict[str, str]] | None:
        """Path and headers of the next request; None when the client has gone."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode().strip().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        self.body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return first.split()[1], headers

    async def gone(self) -> None:
        """Return when the client has closed the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(1024):
                pass

    def send(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.writer.write(head.encode() + body)

    def start(self) -> None:
        self.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))


class Loopback:
    """A server on loopback that lists its model and leaves everything else to `serve`."""

    def __init__(self, serve: Callable[[Connection], Awaitable[None]]) -> None:
        self._serve = serve
        self.paths: list[tuple[int, str]] = []  # number of the connection, path
        self.bodies: list[tuple[str, bytes]] = []
        self.keys: list[str | None] = []
        self.open = 0  # connections
        self.serving = 0  # requests that `serve` is busy with
        self.base_url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self.connections, reader, writer)
        self.connections += 1
        self.open += 1
        try:
            while (request := await connection.request()) is not None:
                path, headers = request
                self.paths.append((connection.number, path))
                self.bodies.append((path, connection.body))
                self.keys.append(headers.get("authorization"))
                if path == "/v1/models":
                    connection.send(orjson.dumps(recording("models")["response"]))
                else:
                    self.serving += 1
                    try:
                        await self._serve(connection)
                    finally:
                        self.serving -= 1
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()

    connections = 0  # that were ever opened


@asynccontextmanager
async def loopback(serve: Callable[[Connection], Awaitable[None]]) -> AsyncIterator[Loopback]:
    server = Loopback(serve)
    async with await asyncio.start_server(server.handle, "127.0.0.1", 0) as listener:
        server.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
        yield server


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other tasks bring about; fails rather than hang."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # httpx's pool has no event to wait for
            await asyncio.sleep(0.01)


def active(remote: VLLMRemote) -> list[Any]:
    """Pooled connections that no request could use any more."""
    transport: Any = remote._connection._client._transport
    return [c for c in transport._pool.connections if not c.is_idle() and not c.is_closed()]


def drafted_event(token_id: int) -> bytes:
    chunk = events(stream("stream_greedy"))[0]
    choice = chunk["choices"][0]
    choice["token_ids"] = [token_id]
    choice["logprobs"]["top_logprobs"] = [{f"token_id:{token_id}": -0.1}]
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
