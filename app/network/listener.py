"""The listening socket, bound before anything slow begins."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from app.errors import CoSteerError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CoSteerError with what to change."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise CoSteerError(
            f"Cannot listen on {host} port {port}: {reason}. "
            "Choose another with --host and --port, or COSTEER_HOST and COSTEER_PORT."
        ) from error
    # Accepted connections inherit it. asyncio would set it on sockets that name TCP as their protocol, but
    # Python's name none; without it every response waits 40 ms for the client's ACK of its header.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def on_this_machine(host: str) -> bool:
    """Whether only this machine can reach what listens there. Names but `localhost` are looked up."""
    if host == "localhost":
        return True
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):  # `listen` reports it
        return False
    return all(ip_address(address.partition("%")[0]).is_loopback for address in found)
