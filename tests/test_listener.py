"""The port that is served on."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from app.listener import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_send_at_once_what_is_written(host: str) -> None:
    """Nagle's algorithm would hold a body back until the client has acknowledged the header."""
    with (
        closing(listen(host, 0)) as listener,
        socket.create_connection(listener.getsockname()[:2]),
        closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
