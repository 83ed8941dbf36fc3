"""Clients that leave: 200 streams and 30 whole replies; afterwards nothing may run, and memory be level."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Callable

from servers import Server

STREAMS, WHOLE = 200, 30
AT = (50, 100, 200)
GONE_SECONDS = 1.0
IDLE_SHARE = 0.1  # of one core
LEVEL_MIB = 40.0  # an allocator goes up and down by as much
NEXT_SECONDS = 10.0  # where other programs keep the processor busy


def main(port: str, pid: str, model: str, remote_port: str = "") -> int:
    server = Server(int(port), int(pid))
    remote = Server(int(remote_port), 0) if remote_port else None
    failed = False

    def checked(name: str, holds: bool, found: str) -> None:
        nonlocal failed
        failed |= not holds
        print(f"{'' if holds else 'FAILED '}{name}: {found}")

    # The first replies load what is loaded lazily, which is no leak.
    for number in range(5):
        abort_stream(server, model, number)
    wait_idle(server)
    memory = []
    for number in range(1, STREAMS + 1):
        abort_stream(server, model, number)
        if number in AT:
            memory.append(server.rss_mib)
    settle(server, remote, "after the streams", checked)
    grown = memory[-1] - memory[0]
    checked("memory in MiB", grown < LEVEL_MIB, f"{', '.join(f'{m:.0f}' for m in memory)} after {AT}")
    for number in range(WHOLE):
        abort_whole(server, model, number)
    settle(server, remote, "after the whole replies", checked)
    start = time.perf_counter()
    server.post("/v1/chat/completions", request(model, "Say hello.", stream=False, max_tokens=3))
    took = time.perf_counter() - start
    checked("the next reply", took < NEXT_SECONDS, f"{took:.2f} s")
    return int(failed)


def request(model: str, text: str, *, stream: bool, max_tokens: int) -> dict[str, object]:
    message = {"role": "user", "content": text}
    fields = {"stream": stream, "max_tokens": max_tokens, "profile": "isabel"}
    return {"model": model, "messages": [message], **fields}


def abort_stream(server: Server, model: str, number: int) -> None:
    """Leaves after some pieces: with the headers, with the role chunk, or in the middle."""
    connection = send(
        server, request(model, f"Write a long essay, number {number}.", stream=True, max_tokens=800)
    )
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.OK:
        raise SystemExit(f"FAILED {answer.status}: {answer.read(300)!r}")
    for _ in range(2 * (number % 6)):
        answer.readline()
    leave(connection)


def abort_whole(server: Server, model: str, number: int) -> None:
    """Leaves while the reply is being written, at different moments."""
    connection = send(
        server, request(model, f"Write a long essay, number {number}.", stream=False, max_tokens=800)
    )
    time.sleep(0.05 * (number % 5))
    leave(connection)


def send(server: Server, body: dict[str, object]) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection


def leave(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def settle(
    server: Server, remote: Server | None, name: str, checked: Callable[[str, bool, str], None]
) -> None:
    """A second later nothing may run here, nor at the remote."""
    time.sleep(GONE_SECONDS)
    if remote is not None:
        running = remote.get("/running")
        checked(f"remote requests {name}", running["running"] == 0, str(running))
    busy = share(server)
    checked(f"share of a core {name}", busy < IDLE_SHARE, f"{busy:.2f}")
    wait_idle(server)


def share(server: Server, seconds: float = 0.5) -> float:
    before = server.cpu_seconds
    time.sleep(seconds)
    return (server.cpu_seconds - before) / seconds


def wait_idle(server: Server, limit: float = 60) -> None:
    give_up = time.monotonic() + limit
    while share(server) >= IDLE_SHARE and time.monotonic() < give_up:
        pass


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
