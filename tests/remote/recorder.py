"""Servers on loopback that write down every byte that they receive: a vLLM, and proxies on the way to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
from doctor.fake_vllm import FakeVLLM

TLS = Path(__file__).parent.parent / "fixtures" / "tls"
CERTIFICATE = TLS / "certificate.pem"  # of vllm.test and proxy.test
H = TypeVar("H", "RecordingVLLM", "RecordingProxy")


class Heard:
    """All that came in, by connection."""

    def __init__(self) -> None:
        self.connections: list[bytearray] = []
        self.requests: list[str] = []  # each request's first line
        self.port = 0

    @property
    def everything(self) -> bytes:
        return b"\n".join(map(bytes, self.connections))

    async def head(self, reader: asyncio.StreamReader, into: bytearray) -> tuple[str, dict[str, str]] | None:
        """The first line and the headers of the next request; None when the client has gone."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            into += getattr(error, "partial", b"")
            return None
        into += head
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        self.requests.append(first)
        return first, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


class RecordingVLLM(Heard):
    """A vLLM that sets a cookie with each answer, and knows every path."""

    def __init__(self) -> None:
        super().__init__()
        self.vllm = FakeVLLM()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = bytearray()
        self.connections.append(came)
        while (request := await self.head(reader, came)) is not None:
            first, headers = request
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            came += body
            method, path, _ = first.split()
            url = path if "://" in path else f"http://vllm.test{path}"  # the former from a proxy
            answer = self._answer(httpx.Request(method, url, content=body))
            written = f"HTTP/1.1 {answer.status_code} OK\r\nContent-Length: {len(answer.content)}\r\n"
            kind = answer.headers.get("content-type", "application/json")
            cookies = "".join(f"Set-Cookie: {name}=crumb; Path=/\r\n" for name in ("track", "__Host-id"))
            writer.write(f"{written}Content-Type: {kind}\r\n{cookies}\r\n".encode() + answer.content)
        writer.close()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        known = ("/v1/models", "/version", "/tokenize", "/metrics")
        drafted = request.url.path == "/v1/completions" and isinstance(
            self._body(request).get("prompt"), list
        )
        if request.url.path in known or drafted:
            return self.vllm.answer(request)
        return httpx.Response(200, json={} if request.url.path != "/health" else None)

    @staticmethod
    def _body(request: httpx.Request) -> dict[str, Any]:
        with suppress(orjson.JSONDecodeError):
            body = orjson.loads(request.content)
            return body if isinstance(body, dict) else {}
        return {}


class RecordingProxy(Heard):
    """An HTTP proxy that leads every tunnel to one port, or refuses it with a status of its own."""

    def __init__(self, target: int, refusing: str = "") -> None:
        super().__init__()
        self._target, self._refusing = target, refusing

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = bytearray()
        self.connections.append(came)
        request = await self.head(reader, came)
        if request is None or self._refusing:
            writer.write(f"HTTP/1.1 {self._refusing or '400 No'}\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()
            return
        there, onward = await asyncio.open_connection("127.0.0.1", self._target)
        if request[0].startswith("CONNECT "):
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            onward.write(bytes(came))
        await asyncio.gather(self._pump(reader, onward, came), self._pump(there, writer, bytearray()))

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, came: bytearray) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                came += piece
                writer.write(piece)
        writer.close()


@asynccontextmanager
async def listening(heard: H, *, tls: bool = False) -> AsyncIterator[H]:
    """Serve on a free port while the block runs."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, TLS / "key.pem")
    server = await asyncio.start_server(heard.handle, "127.0.0.1", 0, ssl=context)
    heard.port = server.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        server.close()
