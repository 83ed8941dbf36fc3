"""CORS and host checks, so that no other site's page reaches the private API through the user's browser."""

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
# Response headers that pages may read (Access-Control-Expose-Headers).
EXPOSED = (
    "X-CoSteer-Steered",
    "X-CoSteer-Reason",
    "X-CoSteer-Disclosed",
    "X-CoSteer-Recorded",
    "X-CoSteer-Recorded-Reason",
    "X-Request-Id",
    "Server-Timing",
    "Retry-After",
)
# Sec-Fetch-Site of accepted requests: user navigation and our own pages. Clients that are not browsers send
# none.
OURS = {None, "none", "same-origin"}


@dataclass(frozen=True)
class KeylessAccess:
    """Which requests are accepted without an API key.

    `keyless`: whether any are; `hosts`: host names accepted besides this machine's own; `origins`: the
    origins whose web pages may send requests.
    """

    keyless: bool = True
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()


def install(app: FastAPI, access: KeylessAccess) -> None:
    """Adds CORS for the origins of `access`, which answers browsers' preflight requests."""
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
    """Raises Forbidden for a request that a browser sends on behalf of another site's page.

    There are three attacks. A page may POST plain text to any site, though not read the response: its Origin
    names the page. It may link to or embed a response, as an image for instance, and learn whether it exists:
    Sec-Fetch-Site then shows another site. And a site may point its own name at this machine (DNS rebinding),
    so that browsers treat the API as same-origin: Host has that name then. Apps with custom schemes (app://)
    are not web pages.
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


def refuse_other_pages(headers: Headers) -> None:
    """Raises Forbidden for a request of any page but the server's own, those that are let in as well.

    It is for what gives more than the request's own moment: a page that made itself an admin key would keep
    all access when it is no longer let in, and would lock the person out. To be called after
    `refuse_strangers`, which sees to the Host.
    """
    sent_by, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if sent_by in {None, "none"}:  # an older browser, plain http to another machine, or no browser
        # With `none` and an origin it is a browser's extension.
        ours = origin is None or origin.lower().partition("://")[2] == headers.get("host", "").lower()
    else:
        ours = sent_by in OURS
    if not ours:
        raise Forbidden(
            "Without an API key, keys are managed by this server's own page or by `costeer keys` only. Send "
            "an admin key."
        )


def _from_a_friend(headers: Headers, host: str | None, access: KeylessAccess) -> bool:
    """Whether the request comes from no page, or from a page of this machine or of an allowed origin."""
    origin = headers.get("origin", "")
    if origin == "null" or origin.startswith(("http://", "https://")):
        site = _hostname(origin)
        return site == host or _is_here(site) or origin.lower() in access.origins
    sent_by = headers.get("sec-fetch-site")
    # same-site with a name of this machine means a page of this machine, on another port.
    return bool(origin) or sent_by in OURS or (sent_by == "same-site" and _is_here(host))


def _hostname(url: str) -> str | None:
    """The host name in lower case; None if there is none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_here(host: str | None) -> bool:
    """Whether the host must be this machine: nobody else can own `localhost` or a loopback address."""
    name = (host or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
