"""Many streams at once for minutes: soak.py [--seconds 300] [--streams 200] [--default-bounds].

A fifth of the clients are steered by the small model, two fifths get the remote's own text from the proxy,
and two fifths are passed on; all before the scripted remote, a token every --pace seconds. Each asks again as
soon as its reply is complete, and after a 429 when Retry-After says. Anything else fails the run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from servers import PROFILE, Server, costeer, fake_vllm

MODEL = "gpt-6-astra"  # the fake vLLM's
SAMPLE_SECONDS = 5.0
REST_SECONDS = 10.0  # after which nothing may be left open
# What a small model that lags behind comes to, as the README says.
PARTLY = "complete, in part unsteered"
TIMEOUT = httpx.Timeout(600, connect=30)
KINDS = ("steered", "unsteered", "passed on", "unsteered", "passed on")
ASKS: dict[str, dict[str, object]] = {
    "steered": {"profile": PROFILE["id"], "strength": 0.5},
    "unsteered": {"strength": 0},
    "passed on": {"steering": "off"},
}


@dataclass(frozen=True)
class Sample:
    """Of the server's process, `seconds` after the start."""

    seconds: float
    rss_mib: float
    fds: int
    threads: int
    cpu_seconds: float
    streams: int


def sample(server: Server, seconds: float, streams: int) -> Sample:
    process = Path("/proc", str(server.pid))
    fds, threads = (len(list((process / name).iterdir())) for name in ("fd", "task"))
    return Sample(seconds, server.rss_mib, fds, threads, server.cpu_seconds, streams)


@dataclass
class Soak:
    """The clients: what has come of their requests, and how many streams are open now."""

    server: Server
    tokens: int
    outcomes: Counter[str]
    first: list[float]  # seconds to the first token of complete replies
    open: int = 0

    async def client(self, http: httpx.AsyncClient, number: int, kind: str) -> None:
        for turn in itertools.count():
            # Not all of one length, or they would end together.
            tokens = self.tokens // 2 + (number * 7 + turn * 13) % self.tokens
            question = f"Write a long essay, number {number} of {turn}."
            body = {
                "model": MODEL,
                "messages": [{"role": "user", "content": question}],
                "stream": True,
                "max_tokens": tokens,
                **ASKS[kind],
            }
            try:
                outcome, wait = await self.stream(http, body)
            except httpx.HTTPError as error:
                outcome, wait = f"{type(error).__name__}: {error}", 1.0
            self.outcomes[f"{kind}: {outcome}"] += 1
            await asyncio.sleep(wait)

    async def stream(self, http: httpx.AsyncClient, body: dict[str, object]) -> tuple[str, float]:
        """What came of it, and for how long to wait before the next."""
        start = time.monotonic()
        first: float | None = None
        last: dict[str, Any] = {}
        done = False
        async with http.stream("POST", f"{self.server.base_url}/chat/completions", json=body) as answer:
            if answer.status_code != httpx.codes.OK:
                said = (await answer.aread()).decode(errors="replace")
                if answer.status_code == httpx.codes.TOO_MANY_REQUESTS and "retry-after" in answer.headers:
                    return "429", float(answer.headers["retry-after"])
                return f"HTTP {answer.status_code} {said[:200]}", 1.0
            self.open += 1
            try:
                async for line in answer.aiter_lines():
                    done = done or line == "data: [DONE]"
                    if line.startswith("data: {"):
                        last = json.loads(line[6:])
                        if (
                            first is None
                            and last.get("choices")
                            and last["choices"][0]["delta"].get("content")
                        ):
                            first = time.monotonic() - start
            finally:
                self.open -= 1
        if "error" in last:
            return f"error event {last['error']}", 1.0
        if not done or not last["choices"][0]["finish_reason"]:
            return "ended without a word", 1.0
        self.first.append(first if first is not None else time.monotonic() - start)
        partly = (last.get("costeer") or {}).get("unassisted")
        return PARTLY if partly else "complete", 0.0


async def soak(server: Server, kinds: list[str], seconds: float, tokens: int) -> tuple[Soak, list[Sample]]:
    """One client for each of `kinds`."""
    run = Soak(server, tokens, Counter(), [])
    samples = [sample(server, 0, 0)]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=TIMEOUT, limits=limits) as http:
        clients = [asyncio.create_task(run.client(http, *one)) for one in enumerate(kinds)]
        start = time.monotonic()
        for due in range(1, int(seconds / SAMPLE_SECONDS) + 1):
            await asyncio.sleep(max(0.0, start + due * SAMPLE_SECONDS - time.monotonic()))
            samples.append(sample(server, time.monotonic() - start, run.open))
        for client in clients:
            client.cancel()
        for client in clients:
            with suppress(asyncio.CancelledError):
                await client
    return run, samples


def report(run: Soak, samples: list[Sample]) -> Iterator[str]:
    yield "| minute | streams open | RSS, MiB | file descriptors | threads | share of a core |"
    yield "|---|---|---|---|---|---|"
    for minute in range(int((samples[-1].seconds + SAMPLE_SECONDS / 2) // 60)):
        within = [
            one for one in samples[1:] if minute * 60 < one.seconds - SAMPLE_SECONDS / 2 <= minute * 60 + 60
        ]
        share = (within[-1].cpu_seconds - within[0].cpu_seconds) / (within[-1].seconds - within[0].seconds)
        spans = [
            spread([one.streams for one in within]),
            spread([one.rss_mib for one in within]),
            spread([one.fds for one in within]),
            spread([one.threads for one in within]),
        ]
        yield f"| {minute + 1} | {' | '.join(spans)} | {share:.2f} |"
    yield ""
    for outcome, count in sorted(run.outcomes.items()):
        yield f"{count:7d}  {outcome}"
    if run.first:
        tenths = statistics.quantiles(run.first, n=20)
        yield f"first token of complete replies, s: median {tenths[9]:.2f}, 95th percentile {tenths[18]:.2f}"


def spread(values: list[float] | list[int]) -> str:
    return f"{min(values):.0f} / {statistics.median(values):.0f} / {max(values):.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--kinds", nargs="+", choices=ASKS, default=KINDS, help="of clients, in turn")
    parser.add_argument("--tokens", type=int, default=60, help="of a reply, on average")
    parser.add_argument("--pace", type=float, default=0.5, help="seconds a token")
    parser.add_argument("--default-bounds", action="store_true", help="so that some are refused with 429")
    options = parser.parse_args()
    # So that servers are stopped when this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    kinds = list(itertools.islice(itertools.cycle(options.kinds), options.streams))
    raised = dict.fromkeys(("COSTEER_MAX_RUNNING", "COSTEER_MAX_PASSED_ON"), str(2 * options.streams))
    with (
        fake_vllm(options.pace) as remote,
        costeer(remote, {} if options.default_bounds else raised) as server,
    ):
        server.post("/v1/profiles", PROFILE)
        print(f"before: {sample(server, 0, 0)}", flush=True)
        run, samples = asyncio.run(soak(server, kinds, options.seconds, options.tokens))
        print("\n".join(report(run, samples)), flush=True)
        time.sleep(REST_SECONDS)
        print(f"{REST_SECONDS:g} s after all have left: {sample(server, 0, 0)}")
        print(f"still running at the remote: {remote.get('/running')}")
    allowed = {"complete", PARTLY, *(["429"] if options.default_bounds else [])}
    wrong = {name: count for name, count in run.outcomes.items() if name.partition(": ")[2] not in allowed}
    print(f"FAILED {wrong}" if wrong else "nothing else")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
