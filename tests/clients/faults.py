"""What a client sees of a remote's faults: faults.py MODEL_FOLDER [--vllm] [--responses] [--times N]
[--only NAME ...].

Steered greedy replies through `costeer serve`, with a relay between it and the remote that does what broken
remotes do. Each is compared token by token with the reply of an undisturbed remote: the small model over
vLLM's wire, in float32, or with --vllm a real vLLM, whose text may differ by itself where two tokens are as
likely. MODEL_FOLDER is what `costeer models pull smollm2-135m-instruct` names.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

from faulty import LAST_CHUNK, Fault, Relay, chunk
from replies import Reply, ask, ask_responses, compared
from servers import ROOT, Server, costeer, model_vllm

PROMPTS = (
    "Write a short invitation to dinner on Saturday.",
    "Explain in a few sentences how a suspension bridge carries its weight.",
    "Tell a friend why you came late.",
)
TOKENS = 40
OFFSETS = 50
ATTEMPTS = 5  # drafts that are left may end before a late fault comes
UNDISTURBED = 4  # of each prompt; the first loads what is loaded lazily
MAX_LOGPROBS = 50  # of both remotes; and their models take 4096 tokens
TOO_LONG = "The tide comes in and goes out again. " * 600
# As a remote on another machine is used: it drafts on until it is stopped.
FAR = {"COSTEER_DRAFT_LENGTH": "256", "COSTEER_VERIFY_BATCH": "0", "COSTEER_DTYPE": "float32"}
ERROR = b'data: {"error": {"message": "EngineCore encountered an issue.", "type": "InternalServerError", '
ERROR += b'"param": null, "code": 500}}\n\n'
FAULTS = {
    "cut": Fault(),
    "stream stalled 30 s": Fault(cut=False, hangs=30.0),
    "remote stalled 30 s": Fault(cut=False, stalls=30.0),
    "500s for 10 s after a cut": Fault(fails=10.0),
    "garbage bytes": Fault(adds=bytes(range(256))),
    "garbage in an event": Fault(adds=chunk(b'data: {"id":"cmpl-1","choices":[{\xff\xfe}\n\n')),
    "truncated chunk": Fault(adds=b'\r\nfff\r\ndata: {"id":"cmpl-1","cho'),
    "[DONE] without finish_reason": Fault(adds=chunk(b"data: [DONE]\n\n") + LAST_CHUNK),
    "error in the stream": Fault(adds=chunk(ERROR) + chunk(b"data: [DONE]\n\n") + LAST_CHUNK),
}


@dataclass
class Row:
    fault: str
    said: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    resumed: int = 0
    extra: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Bench:
    """The remote, the relay before it, the undisturbed replies, and the table."""

    start_remote: Callable[[], AbstractContextManager[Server]]
    ask: Callable[[Server, str, int], Coroutine[None, None, Reply]]
    relay: Relay
    stack: ExitStack
    pid: int = 0
    undisturbed: dict[str, list[Reply]] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    events: int = 0
    passed: int = 0

    async def restart(self) -> None:
        server = await asyncio.to_thread(self.stack.enter_context, self.start_remote())
        self.relay.target, self.pid = server.port, server.pid
        await self.relay.up()

    @asynccontextmanager
    async def proxy(self, **settings: str) -> AsyncIterator[Server]:
        """One with a sample profile. Servers start in threads: the relay has to go on meanwhile."""
        with ExitStack() as stack:
            started = costeer(Server(self.relay.port, 0), {**FAR, **settings})
            server = await asyncio.to_thread(stack.enter_context, started)
            sample = tomllib.loads((ROOT / "profiles/isabel.toml").read_text())
            await asyncio.to_thread(server.post, "/v1/profiles/import", sample)
            yield server

    async def record(self, server: Server) -> None:
        for prompt in PROMPTS:
            runs, sizes = [], []
            for _ in range(UNDISTURBED):
                self.relay.arm(None)
                runs.append(await self.ask(server, prompt, TOKENS))
                sizes.append((self.relay.events, self.relay.passed))
            self.undisturbed[prompt] = runs[1:]
            texts = {one.ids for one in self.undisturbed[prompt]}
            seconds = [one.seconds for one in self.undisturbed[prompt]]
            print(f"undisturbed: {len(texts)} text(s), {min(seconds):.2f}-{max(seconds):.2f} s", flush=True)
            # A draft may have run on for longer or shorter when it was left.
            self.events = min([self.events or TOKENS, *(events for events, _ in sizes)])
            self.passed = self.passed or min(size for _, size in sizes)  # of the first prompt

    def add(self, name: str, reply: Reply, prompt: str) -> None:
        row = self.rows.setdefault(name, Row(name))
        row.said[reply.said] += 1
        row.resumed += reply.resumed
        if (undisturbed := self.undisturbed.get(prompt)) is not None:
            lost, doubled, note = compared(reply, undisturbed)
            row.lost, row.doubled = row.lost + lost, row.doubled + doubled
            row.notes += [note] if note else []
            if reply.finished:
                row.extra.append(reply.seconds - statistics.median(one.seconds for one in undisturbed))
        print(f"{name}: {reply.said}, {reply.seconds:.1f} s, asked again {reply.resumed}", flush=True)

    async def disturbed(self, name: str, server: Server, fault: Fault, prompt: str) -> None:
        for _ in range(ATTEMPTS):
            self.relay.arm(fault)
            reply = await self.ask(server, prompt, TOKENS)
            if self.relay.happened.is_set():
                self.add(name, reply, prompt)
                return
        print(f"{name}: it never came to the fault", flush=True)

    async def killed(self, name: str, server: Server, event: int, prompt: str) -> None:
        self.relay.arm(Fault(event=event, cut=False))
        reply = asyncio.create_task(self.ask(server, prompt, TOKENS))
        await self.relay.happened.wait()
        os.killpg(self.pid, signal.SIGKILL)
        await self.relay.down()
        await self.restart()
        self.add(name, await reply, prompt)

    def table(self) -> Iterator[str]:
        yield "| fault | times | what the client saw | asked again | lost | doubled | extra seconds, median |"
        yield "|---|---|---|---|---|---|---|"
        for row in self.rows.values():
            saw = [f"{count} times {said}" for said, count in row.said.items()]
            extra = f"{statistics.median(row.extra):.1f}" if row.extra else ""
            cells = (row.fault, sum(row.said.values()), "; ".join(saw + row.notes))
            yield f"| {' | '.join(map(str, (*cells, row.resumed, row.lost, row.doubled, extra)))} |"


async def run(bench: Bench, times: int, wanted: Callable[[str], bool]) -> None:
    await bench.restart()
    async with bench.proxy() as server:
        await bench.record(server)
        for name, fault in FAULTS.items():
            for number in range(times if wanted(name) else 0):
                event = 1 + (7 * number + 2) % (bench.events // 2)
                prompt = PROMPTS[number % len(PROMPTS)]
                await bench.disturbed(name, server, replace(fault, event=event), prompt)
        for number in range(OFFSETS if wanted("cut at any byte") else 0):
            byte = number * bench.passed * 9 // (10 * OFFSETS)
            await bench.disturbed("cut at any byte", server, Fault(byte=byte), PROMPTS[0])
        bench.relay.arm(None)
        if wanted("context too long"):
            bench.add("context too long", await bench.ask(server, TOO_LONG, TOKENS), TOO_LONG)
    if wanted("logprobs cap"):
        async with bench.proxy(COSTEER_TOP_LOGPROBS=str(MAX_LOGPROBS + 10)) as server:
            bench.add("logprobs cap", await bench.ask(server, PROMPTS[0], TOKENS), PROMPTS[0])
    for number in range(min(times, 3) if wanted("refused at start") else 0):
        await bench.relay.down()
        async with bench.proxy() as server:
            prompt = PROMPTS[number]
            bench.add("refused at start", await bench.ask(server, prompt, TOKENS), prompt)
            await bench.relay.up()
            bench.add("refused at start, then there", await bench.ask(server, prompt, TOKENS), prompt)
    if wanted("killed"):
        async with bench.proxy(COSTEER_REMOTE_PATIENCE="180") as server:
            for prompt in PROMPTS:
                await bench.ask(server, prompt, TOKENS)
            for number in range(min(times, 3)):
                await bench.killed("killed and restarted", server, 4 + 9 * number, PROMPTS[number])
    await bench.relay.down()
    await asyncio.sleep(0.1)  # for its connections to end


@contextmanager
def real(folder: str) -> Iterator[Server]:
    sys.path.append(str(ROOT / "tests"))
    from e2e.vllm_server import serve_vllm

    with serve_vllm(folder) as server:
        yield Server(server.port, server.pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="MODEL_FOLDER")
    parser.add_argument("--vllm", action="store_true", help="a real vLLM, from .venv-vllm")
    parser.add_argument("--responses", action="store_true", help="of /v1/responses, in place of chat")
    parser.add_argument("--times", type=int, default=5, help="of each fault")
    parser.add_argument("--only", nargs="+", default=[""], help="faults whose names hold one of these")
    options = parser.parse_args()
    # So that servers are stopped when this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    start = real if options.vllm else model_vllm
    with ExitStack() as stack:
        asks = ask_responses if options.responses else ask
        bench = Bench(lambda: start(options.folder), asks, Relay(), stack)
        try:
            asyncio.run(run(bench, options.times, lambda name: any(part in name for part in options.only)))
        finally:
            print("\n".join(bench.table()))


if __name__ == "__main__":
    main()
