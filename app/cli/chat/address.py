"""Where the running server is, and whether one answers there."""

from __future__ import annotations

import re
from enum import Enum
from urllib.parse import urlsplit

import httpx
import orjson

from app.errors import CoSteerError
from app.settings.settings import Settings

# Seconds: to connect, and for the answer, for which the server asks its remote.
TIMEOUT = httpx.Timeout(15, connect=2)
PARTS = {"remote", "tokenizer", "local_model", "database"}
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # reached through the loopback address


class Answer(Enum):
    """What answers at an address."""

    READY = "ready"
    NOT_READY = "not ready"
    NONE = "none"
    ANOTHER = "another server"


def configured(settings: Settings) -> str | None:
    """The address where `costeer serve` listens by these settings; None if it takes any free port."""
    if not settings.port:
        return None
    host = WILDCARDS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def given(url: str) -> str:
    """An address that somebody has typed, without a path; a base_url is taken too. Raises CoSteerError."""
    address = re.sub(r"(/v1)?/*$", "", url.strip())
    try:
        parts = urlsplit(address)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or parts.path or parts.query or "@" in parts.netloc:
        raise CoSteerError("--url must be an address like http://127.0.0.1:8000, without a path or a user.")
    return address


def answer(address: str) -> Answer:
    """What answers at an address, by its GET /ready, which needs no key."""
    try:
        response = httpx.get(f"{address}/ready", timeout=TIMEOUT, trust_env=False, follow_redirects=False)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return Answer.NONE
    except (httpx.HTTPError, httpx.InvalidURL):
        return Answer.ANOTHER
    try:
        said = orjson.loads(response.content)  # bounded in depth, whoever wrote it
    except ValueError:
        return Answer.ANOTHER
    parts = said.get("parts") if isinstance(said, dict) else None
    if not isinstance(parts, dict) or not parts.keys() >= PARTS:
        return Answer.ANOTHER
    return Answer.READY if said.get("status") == "ready" else Answer.NOT_READY
