"""A server's URL: whether it is of this machine, and how it is shown, which is without its password."""

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
    """What of the URL is shown to nobody: its password, as it is written and as it is sent."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL, which is said when it is asked
        return []
    user, password = parts.username or "", parts.password or ""
    if not password:
        return []
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return [basic, password, unquote(password)]


def is_loopback(host: str) -> bool:
    """Whether a connection to the host stays on this machine, as far as that can be told without asking."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        try:
            address = ip_address(socket.inet_aton(host))  # 127.1 and the like, as connecting takes them
        except (OSError, UnicodeError):
            return False
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_unspecified
