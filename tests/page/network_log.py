"""A browser's own log of what it asks of the network (--log-net-log), whoever in it asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Of requests that the browser makes for itself, for no page: to look for updates, for instance.
ITS_OWN = "not an origin"
CONNECT = "TCP_CONNECT_ATTEMPT"


@dataclass(frozen=True)
class NetworkLog:
    """`requests` are the URLs that pages asked for, `connections` the addresses of TCP connections that were
    tried, and `datagrams` how many were sent."""

    requests: set[str]
    connections: set[str]
    datagrams: int


def read_network_log(path: Path) -> NetworkLog:
    """Reads a log; the browser has finished it when it is closed."""
    log = json.loads(path.read_text(encoding="utf-8"))
    names = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    events = [(names[one["type"]], one.get("params") or {}) for one in log["events"]]
    asked = [params for name, params in events if name == "URL_REQUEST_START_JOB" and "url" in params]
    return NetworkLog(
        requests={params["url"] for params in asked if not _its_own(params)},
        connections={params["address"] for name, params in events if name == CONNECT and "address" in params},
        datagrams=sum(name == "UDP_BYTES_SENT" for name, _ in events),
    )


def _its_own(asked: dict[str, Any]) -> bool:
    return (asked["initiator"], asked["request_type"]) == (ITS_OWN, "other")
