"""Milliseconds that the proxy adds to what it passes on: each request goes direct and through it, in turn.

Run by hand, on a machine that does nothing else: .venv/bin/python tests/clients/passthrough.py
COSTEER_SOURCE measures another checkout. Remote, proxy and clients are a process each, and share the
processor: with many requests at once and a remote that takes no time, what is measured is mostly how they
queue for it. So the proxy's processor time per request is told as well, and --delay-ms 300 --at-once 32
--requests 640 shows the same number of requests before a remote that takes as long as one does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fast_fake import MODEL
from servers import Server, costeer, fast_fake

CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 40}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
TOOLS = {**CHAT, "tools": [TOOL]}
EMBEDDING = {"model": MODEL, "input": "a short text to embed"}


@dataclass(frozen=True)
class Case:
    """A request, and whether its answer is a stream."""

    name: str
    method: str
    path: str
    body: Mapping[str, object] | None = None
    streamed: bool = False

    def encoded(self, port: int) -> bytes:
        body = json.dumps(self.body).encode() if self.body is not None else b""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: */*"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
        return "\r\n".join([*lines, "", ""]).encode() + body


CASES = (
    Case("embeddings", "POST", "/v1/embeddings", EMBEDDING),
    Case("chat with tools", "POST", "/v1/chat/completions", TOOLS),
    Case("models", "GET", "/v1/models"),
)
STREAM = Case("chat with tools, streamed", "POST", "/v1/chat/completions", {**TOOLS, "stream": True}, True)


@dataclass
class Taken:
    """Seconds of each request (of a stream: to its first event), of each event's way, and spent in total."""

    first: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    wall: float = 0.0
    processor: float = 0.0


class Client:
    """One connection that is kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._generator = writer

    async def ask(self, request: bytes, taken: Taken, *, streamed: bool) -> None:
        start = time.perf_counter()
        self._generator.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head[:20]:
            raise SystemExit(f"FAILED {head!r} {await self._reader.read(500)!r}")
        if not streamed:
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await self._reader.readexactly(length)
            taken.first.append(time.perf_counter() - start)
            return
        first = True
        while (size := int(await self._reader.readline(), 16)) > 0:
            data = await self._reader.readexactly(size + 2)
            now = time.monotonic()
            if first:
                taken.first.append(time.perf_counter() - start)
            # By the clock that all processes share: what an event spent on its way.
            taken.events += [now - float(part.partition(b"}")[0]) for part in data.split(b'"sent": ')[1:]]
            first = False
        await self._reader.readexactly(2)

    def close(self) -> None:
        self._generator.close()


async def load(
    server: Server, case: Case, at_once: int, requests: int, taken: Taken, *, spread: float = 0.0
) -> None:
    """`requests` in all, `at_once` at a time, which begin spread over so many seconds."""
    clients = [Client(*await asyncio.open_connection("127.0.0.1", server.port)) for _ in range(at_once)]
    encoded, left = case.encoded(server.port), iter(range(requests))

    async def ask(client: Client, after: float) -> None:
        await asyncio.sleep(after)
        for _ in left:
            await client.ask(encoded, taken, streamed=case.streamed)

    processor, start = server.cpu_seconds, time.perf_counter()
    await asyncio.gather(*(ask(client, spread * i / at_once) for i, client in enumerate(clients)))
    taken.wall += time.perf_counter() - start
    taken.processor += server.cpu_seconds - processor
    for client in clients:
        client.close()


async def compare(
    ways: Sequence[Server], case: Case, at_once: int, requests: int, *, rounds: int, spread: float
) -> list[list[Taken]]:
    """For each round what each way took; they take turns within a round as well."""
    for server in ways:
        await load(server, case, at_once, requests // 4, Taken(), spread=spread)
    found = []
    for _ in range(rounds):
        taken = [Taken() for _ in ways]
        for _turn in range(4):
            for server, one in zip(ways, taken, strict=True):
                await load(server, case, at_once, requests // 4, one, spread=spread)
        found.append(taken)
    return found


def told(name: str, found: list[list[Taken]], which: Callable[[Taken], list[float]]) -> None:
    """Medians over the rounds, with the lowest and highest round for what is added."""
    cells = []
    for share in (50, 99):
        direct, proxied = ([percentile(which(one[way]), share) for one in found] for way in (0, 1))
        added = [b - a for a, b in zip(direct, proxied, strict=True)]
        low, high = 1000 * min(added), 1000 * max(added)
        middles = [1000 * statistics.median(values) for values in (direct, proxied, added)]
        cells.append("{:7.2f} {:7.2f} {:7.2f}".format(*middles) + f" ({low:.2f}-{high:.2f})")
    print(f"{name:<38}" + "".join(f"{cell:<42}" for cell in cells), end="", flush=True)


def percentile(values: list[float], share: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)]


async def measure(remote: Server, proxy: Server, options: argparse.Namespace) -> None:
    ways = (remote, proxy)
    print(f"{'milliseconds':<38}{'p50: direct proxied   added (rounds)':<42}p99, likewise")
    cases = [case for case in (*CASES, STREAM) if options.only in case.name]
    for at_once in options.at_once:
        for case in cases:
            requests = options.requests if not case.streamed else max(4 * at_once, options.requests // 20)
            found = await compare(
                ways, case, at_once, requests, rounds=options.rounds, spread=options.delay_ms / 1000
            )
            name = f"{case.name}, {at_once} at once"
            told(name + (", first" if case.streamed else ""), found, lambda taken: taken.first)
            proxied = [one[1] for one in found]
            spent = statistics.median(1000 * one.processor / len(one.first) for one in proxied)
            rate = statistics.median(len(one.first) / one.wall for one in proxied)
            print(f"{spent:6.2f} ms of processor a request, {rate:.0f} requests/s")
            if case.streamed:
                told("  an event's way here", found, lambda taken: taken.events)
                print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1600, help="of each kind and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--delay-ms", type=float, default=0, help="what the remote takes for a whole answer")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    options = parser.parse_args()
    with fast_fake(options.delay_ms) as remote, costeer(remote) as proxy:
        print(
            f"CoSteer {proxy.pid} at {proxy.base_url}, before a fake of its own process at {remote.base_url}"
        )
        asyncio.run(measure(remote, proxy, options))


if __name__ == "__main__":
    main()
