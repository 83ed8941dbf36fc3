"""A server's URL: whether it points to this machine, and how it is shown without its password."""

from __future__ import annotations

import base64
import re
import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import unquote, urlsplit

USER = re.compile(r"(?<=://)[^/?#]*@")


def without_user(url: str) -> str:
    """The URL without user and password."""
    return USER.sub("", url)


def passwords(url: str) -> list[str]:
    """The secrets of the URL, to be redacted: its password as written, as decoded and as sent."""
    try:
        parts = urlsplit(url)
    except ValueError:  # not a URL, which the request reports
        return []
    user, password = parts.username or "", parts.password or ""
    if not password:
        return []
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return [basic, password, unquote(password)]


def on_this_machine(url: str) -> bool:
    """Whether the server of the URL runs here, as far as can be told without a look-up."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:  # not a URL, which the request reports
        return False


def place(url: str) -> tuple[str, int | None]:
    """The host and port of a URL, equal for all spellings of them: all names of this machine are one, and so
    are the ports of http and https, behind which a host has one server."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:  # not a URL, which is refused by itself
        return url, None
    port = None if port in {None, 80, 443} else port
    return "localhost" if is_loopback(host) else _spelled(host), port


def is_loopback(host: str) -> bool:
    """Whether a connection to the host stays on this machine, as far as can be told without a look-up."""
    host = _spelled(host)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _spelled(host: str) -> str:
    """One spelling of a host's name or address."""
    host = host.lower()
    if not host.isascii():
        with suppress(UnicodeError):
            host = host.encode("idna").decode()
    host = host.rstrip(".")
    address = _address(host)
    return host if address is None else str(address)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        try:
            address = ip_address(socket.inet_aton(host))  # 127.1 and the like, as connect() takes them
        except (OSError, UnicodeError):
            return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
