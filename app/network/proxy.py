"""The proxy to a remote: the one that a setting names, else, for https, that of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from app.errors import CoSteerError
from app.network.address import is_loopback, without_user

SETTING = "COSTEER_REMOTE_PROXY"
UNUSED = f"{SETTING} is not used: a remote on this machine is asked directly, and an embedded one not at all."
SCHEMES = ("http", "https", "socks5", "socks5h")
ASKED = (
    "must be the URL of a proxy, like http://proxy.example:3128 (http, https, socks5 or socks5h; special "
    "characters of its password percent-encoded)"
)


@dataclass(frozen=True)
class Proxy:
    """A proxy's URL, with its password if it has one, and the setting or variable that names it."""

    url: str = field(repr=False)
    named_by: str

    def __str__(self) -> str:
        return f"{without_user(self.url)} ({self.named_by})"


def proxy_url(value: str) -> str:
    """The URL, with http:// where no scheme is given, as in curl. Raises ValueError, which quotes nothing."""
    value = value.strip()
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        # Reading the port validates it. An @ in the path comes from a password that was cut off at its slash.
        usable = parts.scheme in SCHEMES and parts.hostname and parts.port != 0 and "@" not in parts.path
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not (url.isascii() and url.isprintable()):
        raise ValueError(ASKED)
    return url


def proxy_for(url: str, named: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for requests to `url`; `named` is the one that the setting names.

    Loopback is always connected to directly. The environment variables count for https alone, where a proxy
    sees the host's name and nothing else: over http it would read the conversation. Raises CoSteerError for a
    proxy URL that cannot be used.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host):
        return None
    if named:
        return Proxy(named, SETTING)
    if parts.scheme != "https":
        return None
    name, value = _variable(environ, "HTTPS_PROXY", "ALL_PROXY")
    if not value or is_exempt(host, parts.port or 443, _variable(environ, "NO_PROXY")[1]):
        return None
    try:
        return Proxy(proxy_url(value), name)
    except ValueError as error:
        raise CoSteerError(
            f"{name} {error}. Correct or unset it, or exempt the remote by NO_PROXY."
        ) from None


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY lists the host: by name, parent domain, address or network; * means every host."""
    host = host.lower().rstrip(".")
    for entry in re.split(r"[\s,]+", no_proxy.lower()):
        name, ported = entry, ""
        if match := re.fullmatch(r"(\[[^]]*\]|[^:]*):(\d+)", entry):
            name, ported = match[1], match[2]
        name = name.strip("[]").removeprefix("*.").strip(".")
        if not name or (ported and int(ported) != port):
            continue
        if name in {"*", host} or host.endswith(f".{name}") or _within(host, name):
            return True
    return False


def _within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _variable(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    """The first variable that is set, and its value; lower case first, as in curl. Empty counts as none."""
    for name in names:
        for spelled in (name.lower(), name):
            if spelled in environ:
                if environ[spelled].strip():
                    return spelled, environ[spelled]
                break
    return "", ""
