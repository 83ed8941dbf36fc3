"""The check of the port: it is free, or a CoSteer serves on it already."""

from __future__ import annotations

import errno
from contextlib import aclosing

import orjson

from app.doctor.check import Check, Verdict, failed, ok
from app.errors import CoSteerError
from app.network.listener import listen
from app.network.outgoing import Connection, Server

SECONDS = 3.0
HOLDER = Server(
    "what has the port",
    base_url="COSTEER_PORT",
    read_timeout="COSTEER_PORT",
    failed=CoSteerError,
    unavailable=CoSteerError,
    timed_out=CoSteerError,
)
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # wildcard to loopback


def checks(host: str, port: int) -> list[Check]:
    return [Check("port", lambda: _port(host, port))]


def taken(host: str, port: int) -> Check:
    """The check for the server that has the port."""

    async def verdict() -> Verdict:
        return ok(
            f"{host}, {f'port {port}' if port else 'a port that the system gave'}: this server listens there"
        )

    return Check("port", verdict)


async def _port(host: str, port: int) -> Verdict:
    if port == 0:
        return ok(f"{host}: the system gives a free one at the start (COSTEER_PORT=0)")
    try:
        listen(host, port).close()
    except CoSteerError as error:
        refused = error
    else:
        return ok(f"{host} port {port} is free")
    if getattr(refused.__cause__, "errno", None) != errno.EADDRINUSE:
        return failed(
            f"{refused.message.partition('. ')[0]}.", "COSTEER_HOST=127.0.0.1, or another COSTEER_PORT."
        )
    version = await served(EVERYWHERE.get(host, host), port)
    if version is not None:
        return ok(f"{host} port {port}: a CoSteer {version} serves there already")
    return failed(
        f"{host} port {port} is taken by another program.",
        f"Stop that one, or set COSTEER_PORT={port + 1 if port < 65535 else 0}.",
    )


async def served(host: str, port: int) -> str | None:
    """The version of the CoSteer at that address; None if another program or none answers."""
    name = f"[{host}]" if ":" in host else host
    connection = Connection(HOLDER, api_key="", connect_timeout=SECONDS, read_timeout=SECONDS, transport=None)
    async with aclosing(connection):
        try:
            answer = await connection.send("GET", f"http://{name}:{port}/openapi.json", None, {})
            async with aclosing(answer):
                described = orjson.loads(await answer.read())["info"]
                return str(described["version"]) if described["title"] == "CoSteer" else None
        except (CoSteerError, orjson.JSONDecodeError, KeyError, TypeError):
            return None
