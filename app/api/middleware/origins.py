"""Web pages: one of another site must not reach the private API through the browser of its user."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware

from app.errors import Forbidden

ADVICE = "Send an API key (`costeer keys create` makes one), or use the address 127.0.0.1."
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What pages may read of an answer's headers.
EXPOSED = (
    "X-CoSteer-Steered",
    "X-CoSteer-Reason",
    "X-CoSteer-Recorded",
    "X-CoSteer-Recorded-Reason",
    "X-Request-Id",
    "Server-Timing",
    "Retry-After",
)
# Of Sec-Fetch-Site: what the user's own typing and our own pages send. What is no browser sends none.
OURS = {None, "none", "same-origin"}


@dataclass(frozen=True)
class KeylessAccess:
    """By which ways a request may come that has no API key.

    `keyless` is whether it may at all; `hosts` are the names it may use for this server besides this
    machine's own, and `origins` the web pages that may send it.
    """

    keyless: bool = True
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()


def install(app: FastAPI, access: KeylessAccess) -> None:
    """Let the pages of `access` in: browsers ask first, and are told."""
    app.state.access = access
    if access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(access.origins),
            allow_methods=METHODS,
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )


def refuse_strangers(headers: Headers, access: KeylessAccess) -> None:
    """Raises Forbidden for what a browser sends on behalf of another site's page.

    Three ways lead there. A page may send plain text anywhere, though not read the answer: browsers name it
    in Origin. It may link to an answer, or embed one as if it were an image, and learn whether there is one:
    then Sec-Fetch-Site says that it is another site's. And a site may let its own name point to this machine
    (DNS rebinding), so that browsers take the API for a part of the site: then Host has that name. Apps with
    schemes of their own (app://) are no pages.
    """
    host = _hostname(f"//{headers.get('host', '')}")
    if not (_is_here(host) or host in access.hosts):
        raise Forbidden(
            f"Without an API key, requests to other hosts than this machine are refused. {ADVICE} "
            "COSTEER_ALLOWED_HOSTS lets others in."
        )
    if not _from_a_friend(headers, host, access):
        raise Forbidden(
            f"Without an API key, requests from another site's page are refused. {ADVICE} "
            "COSTEER_CORS_ORIGINS lets pages in."
        )


def _from_a_friend(headers: Headers, host: str | None, access: KeylessAccess) -> bool:
    """Whether no page has sent it, or one of this machine or of `access`."""
    origin = headers.get("origin", "")
    if origin == "null" or origin.startswith(("http://", "https://")):
        site = _hostname(origin)
        return site == host or _is_here(site) or origin.lower() in access.origins
    sent_by = headers.get("sec-fetch-site")
    # Of the same site as this machine's own names are its own pages only, at other ports.
    return bool(origin) or sent_by in OURS or (sent_by == "same-site" and _is_here(host))


def _hostname(url: str) -> str | None:
    """In small letters; None when there is none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_here(host: str | None) -> bool:
    """Whether it can only be this machine: no stranger can own `localhost`, or a loopback address."""
    name = (host or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
