"""The port that is served on."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest
import uvicorn

from app.network.listener import listen, on_this_machine


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_send_at_once_what_is_written(host: str) -> None:
    """Nagle's algorithm would hold a body back until the client has acknowledged the header."""
    with (
        closing(listen(host, 0)) as listener,
        socket.create_connection(listener.getsockname()[:2]),
        closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_so_do_those_of_the_event_loop_that_serves() -> None:
    """uvloop's, where it is installed; it takes connections without Python's help."""

    async def accept() -> int:
        accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        with closing(listen("127.0.0.1", 0)) as listener:
            async with await asyncio.start_server(
                lambda _, writer: accepted.set_result(writer), sock=listener
            ):
                _, client = await asyncio.open_connection(*listener.getsockname()[:2])
                writer = await accepted
                nodelay: int = writer.get_extra_info("socket").getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_NODELAY
                )
                for end in (client, writer):
                    end.close()
                return nodelay

    with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
        assert runner.run(accept())


def test_what_others_can_reach_is_told_from_what_they_cannot() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert on_this_machine(host)
    for host in ("0.0.0.0", "::", "192.168.1.5", "no.such.host.invalid", "a..b"):  # noqa: S104
        assert not on_this_machine(host)
