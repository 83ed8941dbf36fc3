"""Web pages: one of another site must not reach the private API through the browser of its user."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from app.errors import Forbidden

# Names that no stranger can own; a name without a dot is of the local network, too.
LOCAL = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
ADVICE = "Send an API key (`costeer keys create` makes one), or use the address 127.0.0.1."


def refuse_strangers(headers: Headers) -> None:
    """Raises Forbidden for what a browser sends on behalf of another site's page.

    Two ways lead there. A page may send plain text anywhere, though not read the answer: browsers name it in
    Origin. And a site may let its own name point to this machine (DNS rebinding), so that browsers take the
    API for a part of the site: then Host has that name. Apps with schemes of their own (app://) are no pages.
    """
    host = _hostname(f"//{headers.get('host', '')}")
    if not (_is_local_name(host) or _is_address(host)):
        raise Forbidden(f"Without an API key, requests to a public host name are refused. {ADVICE}")
    origin = headers.get("origin", "")
    if origin == "null" or origin.startswith(("http://", "https://")):
        site = _hostname(origin)
        if site != host and not (_is_local_name(site) or _is_address(site, loopback=True)):
            raise Forbidden(f"Without an API key, requests from another site's page are refused. {ADVICE}")


def _hostname(url: str) -> str | None:
    """None when there is none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_local_name(host: str | None) -> bool:
    name = (host or "").rstrip(".")
    return bool(name) and ("." not in name or name.endswith(LOCAL)) and ":" not in name


def _is_address(host: str | None, *, loopback: bool = False) -> bool:
    try:
        address = ip_address((host or "").partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or not loopback
