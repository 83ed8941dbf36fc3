"""Servers that share a listener share its connections, too."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvicorn

from app.network import accepting
from app.network.accepting import SharingServer
from app.network.connections import BoundedProtocol
from app.network.listener import listen


class _Server(SharingServer):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals stay pytest's."""
        yield


@asynccontextmanager
async def sharing(listener: socket.socket, name: str) -> AsyncIterator[_Server]:
    """A server that answers with its name."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})

    config = uvicorn.Config(app, http=BoundedProtocol, ws="none", lifespan="off", log_config=None)
    server = _Server(config, listener)
    task = asyncio.create_task(server.serve())
    try:
        yield server
    finally:
        server.should_exit = True
        await task


async def asked(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.rpartition(b"\r\n\r\n")[2].decode()


async def test_a_burst_is_shared_evenly() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        bursts = [asyncio.ensure_future(asked(port)) for _ in range(100)]
        await asyncio.sleep(0.2)  # all wait to be accepted
        async with sharing(listener.dup(), "a"), sharing(listener.dup(), "b"):
            answered = Counter(await asyncio.gather(*bursts))
    assert answered.keys() == {"a", "b"}
    assert min(answered.values()) >= 25


async def test_one_that_ends_leaves_the_connections_to_the_others() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        async with sharing(listener.dup(), "a"):
            async with sharing(listener.dup(), "b"):
                pass
            assert {await asked(port) for _ in range(10)} == {"a"}


async def test_a_connection_that_cannot_be_accepted_is_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")]

    async def failing(listener: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return await accept(listener)

    monkeypatch.setattr(accepting, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(loop, "sock_accept", failing)
    with listen("127.0.0.1", 0) as listener:
        async with sharing(listener.dup(), "a"):
            assert await asked(listener.getsockname()[1]) == "a"
    assert "Too many open files" in caplog.text
