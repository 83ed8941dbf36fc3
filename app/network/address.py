"""A server's URL: whether it points to this machine, and how it is shown without its password."""

from __future__ import annotations

import base64
import re
import socket
from ipaddress import IPv6Address, ip_address
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


def is_loopback(host: str) -> bool:
    """Whether a connection to the host stays on this machine, as far as can be told without a look-up."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        try:
            address = ip_address(socket.inet_aton(host))  # 127.1 and the like, as connect() takes them
        except (OSError, UnicodeError):
            return False
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_unspecified
