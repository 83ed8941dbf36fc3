"""What an attacker tries that no other file has: slow clients, and tricks with ids in paths."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import Proxy
from fakes import PRIVATE
from real_port import behind_a_port

from app.api.middleware import body_limits
from app.network.connections import BoundedProtocol


class Impatient(BoundedProtocol):
    header_seconds = 0.3


@pytest.fixture
async def impatient(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The proxy as `costeer serve` has it, but that it waits for less than a second."""
    monkeypatch.setattr(body_limits, "PATIENCE_SECONDS", 0.3)
    async with behind_a_port(proxy.app, http=Impatient, lifespan="off") as url:
        yield url


@asynccontextmanager
async def trickle(url: str, at_once: str, slowly: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A client that sends something, and then a byte now and then for as long as it is let."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)

    async def send() -> None:
        for byte in slowly:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    writer.write(at_once.encode())
    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(30):
            yield reader
    finally:
        sending.cancel()
        writer.close()


async def until_the_end(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes. Byte for byte still to be sent it resets the connection, upon
    which a stream gives nothing more, not even what has come: so that is taken as it comes."""
    came = b""
    try:
        while piece := await reader.read(4096):
            came += piece
    except ConnectionResetError:
        pass
    return came


HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "at_once", ["", "GET / HTTP/1.1\r\n", "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nG"]
)
async def test_a_client_that_sends_its_headers_byte_by_byte_is_cut_off(impatient: str, at_once: str) -> None:
    async with trickle(impatient, at_once, b"X-Slow: " + b"a" * 10_000) as reader:
        await until_the_end(reader)


async def test_so_is_one_that_sends_nothing(impatient: str) -> None:
    async with trickle(impatient, "", b"") as reader:
        assert await until_the_end(reader) == b""


@pytest.mark.parametrize("length", ["Content-Length: 9000", "Transfer-Encoding: chunked"])
async def test_a_client_that_sends_its_body_byte_by_byte_is_told_so_and_cut_off(
    proxy: Proxy, impatient: str, length: str
) -> None:
    body = b"2\r\n  \r\n" * 1000 if "chunked" in length else b" " * 8000
    async with trickle(impatient, f"{HEAD}{length}\r\n\r\n", body) as reader:
        answer = await until_the_end(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too slowly" in answer
    assert proxy.app.state.limiters.writing.running == 0


async def test_others_are_served_meanwhile(impatient: str) -> None:
    body = {"model": "fake-model", "profile": "loud", "messages": [{"role": "user", "content": "Hello"}]}
    async with (
        trickle(impatient, "GET / HTTP/1.1\r\n", b"X" * 10_000),
        trickle(impatient, f"{HEAD}Content-Length: 9000\r\n\r\n", b" " * 8000),
        httpx.AsyncClient() as client,
    ):
        for _ in range(3):
            answer = await client.post(f"{impatient}/v1/chat/completions", json=body | {"temperature": 0})
            assert answer.json()["choices"][0]["message"]["content"] == "HELLO WORLD"


async def test_a_stream_longer_than_that_is_not_cut_off(proxy: Proxy, impatient: str) -> None:
    proxy.remote.endless, proxy.remote.max_model_len = True, 10**9
    body = {"model": "fake-model", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    loop = asyncio.get_running_loop()
    async with (
        httpx.AsyncClient() as client,
        client.stream("POST", f"{impatient}/v1/chat/completions", json=body) as response,
    ):
        lines, end = response.aiter_lines(), loop.time() + 3 * Impatient.header_seconds
        while loop.time() < end:
            await anext(lines)


TRICKS = [
    "..",
    "../joined",
    "..%2fjoined",
    "%2e%2e%2fjoined",
    "loud%2f..%2fjoined",
    "loud%00",
    "loud%0d%0aX-Evil:%201",
    "..%5cjoined",
    "%2fetc%2fpasswd",
    "%c0%ae%c0%ae%2fjoined",
    "'%20OR%201=1--",
    "*",
    "%25",
    "LOUD",
]


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_trick_in_a_path_opens_another_profile_or_leaves_the_device(
    proxy: Proxy, base_url: str, trick: str
) -> None:
    _, secret = proxy.store.keys.create("mine", "loud")
    head = f"Host: localhost\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n\r\n"
    address = urlsplit(base_url)
    for beginning in ("profiles", "files/../profiles", "files/..%2fprofiles"):
        for end in ("", "/history", "/history/1", "/export"):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            # As it stands: every client library would tidy the path up.
            writer.write(f"GET /v1/{beginning}/{trick}{end} HTTP/1.1\r\n{head}".encode())
            async with asyncio.timeout(30):
                answer = await until_the_end(reader)
            writer.close()
            assert answer[9:12] in {b"400", b"403", b"404", b"405"}, answer
            assert [text for text in PRIVATE if text.encode() in answer] == []
            assert b"\r\nx-evil" not in answer.lower()
    assert proxy.remote.forwarded == []
