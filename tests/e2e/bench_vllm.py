"""Milliseconds per token against a real vLLM: plain stream, draft and verify, one request per token.

Run by hand, on a machine that does nothing else: .venv/bin/python tests/e2e/bench_vllm.py
The smallest bundle plays both roles, everything is greedy, and the three ways take turns on the same prompts.
All is as the product does it for a vLLM on this machine, with which it shares the processor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from fakes import as_hits  # noqa: E402

from app.local import LocalModel  # noqa: E402
from app.main import SHARED  # noqa: E402
from app.profile import ProfileDocument  # noqa: E402
from app.profile_file import read_profile_file  # noqa: E402
from app.prompts import Message  # noqa: E402
from app.remote import VLLMRemote  # noqa: E402
from app.runner import ModelRunner  # noqa: E402
from app.sampling import Sampling  # noqa: E402
from app.settings import Settings  # noqa: E402
from app.weights import resolve  # noqa: E402
from app.writer import Order, Tuning, Writer  # noqa: E402
from e2e.vllm_server import MODEL, serve_vllm  # noqa: E402

BUNDLE = "smollm2-135m-instruct"
QUESTIONS = (
    "Write a short invitation to dinner on Saturday.",
    "Tell me about your week.",
    "Describe the view from your window.",
    "Explain how a bridge carries weight.",
)
TOO_SHORT = 8  # tokens; a reply that ends before says little about time per token

PLAIN, DRAFT, SINGLE = "plain stream", "draft and verify", "one request per token"


@dataclass(frozen=True)
class Mode:
    """How to ask: strength 0 is the plain stream."""

    name: str
    strength: float
    draft_length: int
    verify_batch: int


@dataclass(frozen=True)
class Run:
    """One reply: time per token after the first one, and what it cost."""

    mode: str
    pair: tuple[int, str]
    tokens: int
    ms_per_token: float
    acceptance: float
    tokens_per_request: float


class Bench:
    """Asks one remote and one local model in every mode."""

    def __init__(self, remote: VLLMRemote, runner: ModelRunner, tokens: int, context: int) -> None:
        self._remote = remote
        self._runner = runner
        self._tokens = tokens
        self._context = context

    async def run(self, mode: Mode, question: int, document: ProfileDocument) -> Run:
        tuning = Tuning(
            max_context_tokens=self._context,
            max_model_len=self._runner.max_model_len,
            draft_length=mode.draft_length,
            verify_batch=mode.verify_batch,
        )
        writer = Writer(self._remote, LocalModel(self._runner), self._runner.tokenizer, tuning)
        order = Order(
            model=MODEL,
            messages=(Message("user", QUESTIONS[question]),),
            sampling=Sampling(temperature=0.0),
            max_tokens=self._tokens,
            profile=document.profile,
            history=as_hits(document.history),
            strength=mode.strength,
        )
        reply = await writer.prepare(order)
        async with aclosing(reply.pieces()) as pieces:
            times = [time.perf_counter() async for _ in pieces]
        stats = reply.stats
        return Run(
            mode=mode.name,
            pair=(question, document.profile.id),
            tokens=stats.tokens,
            ms_per_token=1000 * (times[-1] - times[0]) / max(stats.tokens - 1, 1),
            acceptance=stats.acceptance,
            tokens_per_request=stats.tokens / stats.remote_requests,
        )


async def measure(
    base_url: str, runner: ModelRunner, *, tokens: int, repeats: int, strength: float, context: int
) -> list[Run]:
    modes = [Mode(PLAIN, 0.0, tokens, 0), Mode(DRAFT, strength, SHARED, SHARED), Mode(SINGLE, strength, 1, 0)]
    profiles = [read_profile_file(path) for path in sorted((ROOT / "profiles").glob("*.toml"))]
    pairs = [(question, profile) for question in range(len(QUESTIONS)) for profile in profiles]
    runs = []
    async with aclosing(VLLMRemote(base_url)) as remote:
        bench = Bench(remote, runner, tokens, context)
        for number, (question, profile) in enumerate(pairs):
            await bench.run(modes[1], question, profile)  # fills the caches of the prompts, on both sides
            for repeat in range(repeats):
                turn = (number + repeat) % len(modes)
                for mode in modes[turn:] + modes[:turn]:
                    runs.append(await bench.run(mode, question, profile))  # one by one
                    print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return runs


def summary(runs: list[Run]) -> dict[str, object]:
    """Medians and quartiles by mode, and of the paired ratio of one request per token to draft and verify."""
    kept = [run for run in runs if run.tokens >= TOO_SHORT]
    result: dict[str, object] = {}
    for name in (PLAIN, DRAFT, SINGLE):
        own = [run for run in kept if run.mode == name]
        result[name] = {
            "runs": len(own),
            "ms_per_token": quartiles([run.ms_per_token for run in own]),
            "acceptance": round(statistics.median(run.acceptance for run in own), 3),
            "tokens_per_request": round(statistics.median(run.tokens_per_request for run in own), 1),
        }
    drafted, single = (
        {pair: [r.ms_per_token for r in kept if r.mode == name and r.pair == pair] for pair in pairs_of(kept)}
        for name in (DRAFT, SINGLE)
    )
    ratios = [
        one / many for pair in pairs_of(kept) for one, many in zip(single[pair], drafted[pair], strict=False)
    ]
    result["one request per token / draft and verify, paired"] = quartiles(ratios)
    return result


def pairs_of(runs: list[Run]) -> list[tuple[int, str]]:
    return list(dict.fromkeys(run.pair for run in runs))


def quartiles(values: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"q1": round(low, 2), "median": round(middle, 2), "q3": round(high, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=64, help="length of a reply")
    parser.add_argument("--repeats", type=int, default=1, help="replies per mode, question and profile")
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--context", type=int, default=1024, help="tokens of profile and history at most")
    parser.add_argument("--json", action="store_true", help="print every run as well, as JSON")
    arguments = parser.parse_args()
    settings = Settings()
    path = resolve(BUNDLE, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir)
    with serve_vllm(path) as server:
        runner = ModelRunner(path, leave_a_core=True)
        given = {name: getattr(arguments, name) for name in ("tokens", "repeats", "strength", "context")}
        runs = asyncio.run(measure(server.base_url, runner, **given))
        runner.close()
    found = summary(runs)
    if arguments.json:
        print(
            json.dumps(
                {"arguments": vars(arguments), "summary": found, "runs": [vars(run) for run in runs]},
                indent=1,
            )
        )
        return
    for name, figures in found.items():
        print(f"{name}: {figures}")


if __name__ == "__main__":
    main()
