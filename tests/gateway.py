"""A gateway on loopback before a vLLM, as firms have one: it shows little, and asks for headers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

SHOWN = ("/completions", "/chat/completions", "/models")
# What gateways answer where they show nothing.
NOWHERE = {
    "not found": ("404 Not Found", "application/json", b'{"detail":"Not Found"}'),
    "forbidden": ("403 Forbidden", "application/json", b'{"message":"no"}'),
    "unauthorized": ("401 Unauthorized", "text/plain", b"no"),
    "page": ("200 OK", "text/html; charset=utf-8", b"<!doctype html><title>Sign in</title>"),
    "error": ("200 OK", "application/json", b'{"error":{"message":"no such route","code":404}}'),
    "redirect": ("302 Found", "text/html", b""),
}
ACCESS = {"X-Access-Id": "id-of-ours", "X-Access-Secret": "s3cret-of-ours"}
IDS = frozenset({"return_token_ids", "return_tokens_as_token_ids"})


@dataclass
class Gateway:
    """Before the vLLM at `upstream`, whose base URL ends in /v1.

    It is reached below `prefix`, where it shows `shown`, to requests with the headers ACCESS. `nowhere`: what
    it answers elsewhere. It takes the fields `strips` out of requests.
    """

    upstream: str
    prefix: str = "/v1"
    nowhere: str = "not found"
    strips: frozenset[str] = frozenset()
    shown: tuple[str, ...] = SHOWN
    asks: dict[str, str] = field(default_factory=lambda: dict(ACCESS))
    came: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serves while the block runs; gives the base URL."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{self.prefix}"
        finally:
            server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            method, path, _ = first.split()
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.came.append((path, headers))
            if any(headers.get(name.lower()) != value for name, value in self.asks.items()):
                self._answer(writer, path, "unauthorized")
            elif path not in [self.prefix + one for one in self.shown]:
                self._answer(writer, path, self.nowhere)
            else:
                await self._lead_on(method, path.removeprefix(self.prefix), body, reader, writer)
        writer.close()

    def _answer(self, writer: asyncio.StreamWriter, path: str, kind: str) -> None:
        self.refused.append(path)
        status, media_type, body = NOWHERE[kind]
        lines = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{lines}Location: /sign-in\r\nConnection: close\r\n\r\n".encode() + body)

    async def _lead_on(
        self, method: str, path: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The vLLM's own answer as it comes; whichever side goes, the other is let go."""
        if body:
            body = orjson.dumps({k: v for k, v in orjson.loads(body).items() if k not in self.strips})
        there = urlsplit(self.upstream)
        answer, onward = await asyncio.open_connection(there.hostname, there.port)
        lines = f"Host: {there.netloc}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = f"{method} {there.path}{path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
        onward.write(head.encode() + body)
        writer.write(await answer.readuntil(b"\r\n") + b"Connection: close\r\n")  # one request each
        tasks = [asyncio.create_task(_pump(answer, writer)), asyncio.create_task(reader.read(1))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        onward.close()


async def _pump(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        into.write(piece)
        await into.drain()
