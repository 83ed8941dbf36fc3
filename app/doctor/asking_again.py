"""Measures what it costs to ask for a draft again, as draft and verify does at each rejected token."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from app.decoding.stats import Clock
from app.doctor.check import Verdict, ok, warning
from app.remote.interface import RemoteModel
from app.steering.sampling import SamplingParams

NAME = "re-request"
# Tokens of the prompts, and of what each request adds to one, as a reply does.
LENGTHS, ADDED = (400, 1600), 8
# Requests that go on from a prompt. The median is taken: of two replicas by turns each misses once alone.
REPEATS = 4
# Tokens that are drafted to learn how fast.
DRAFTED = 16
# Tokens between two rejections, as measured with `auto` (docs/evaluation.md: 0.12 requests for a token).
BETWEEN = 8
# No longer prompt is sent where the one before took so many seconds.
LONG = 5.0
# The share of the time of a prompt that is not cached above which it counts as read anew.
ANEW = 0.6
SAMPLING = SamplingParams(temperature=0.0)


@dataclass(frozen=True)
class Cost:
    """Seconds to the first token behind a prompt of so many `tokens`: the first time, and `again`."""

    tokens: int
    anew: float
    again: float


async def measured(remote: RemoteModel, ids: Sequence[int], clock: Clock = time.perf_counter) -> Verdict:
    """The verdict on a remote; the prompts are of the token ids of a fixed text."""
    most = (await remote.card()).max_model_len
    room = max(LENGTHS) if most is None else most - REPEATS * ADDED - DRAFTED - 1
    costs: list[Cost] = []
    for length in sorted({min(length, room) for length in LENGTHS}):
        # In any order, so that no earlier examination has left them in the cache.
        prompt = random.choices(ids, k=length + REPEATS * ADDED)
        ends = [length + ADDED * number for number in range(REPEATS + 1)]
        anew, *again = [await _first_token(remote, prompt[:end], clock) for end in ends]
        costs.append(Cost(length, anew, statistics.median(again)))
        if anew > LONG:
            break
    return verdict(costs, *await _pace(remote, ids, clock))


def verdict(costs: Sequence[Cost], least: float, gap: float) -> Verdict:
    """Judges whether steering mostly waits, by the costs, the last of which is the longest prompt's, and the
    seconds to the first token behind a short prompt and from one to the next (0: not known)."""
    told = "; ".join(
        f"{one.again * 1000:,.0f} ms behind {one.tokens:,} tokens, {one.anew * 1000:,.0f} ms the first time"
        for one in costs
    )
    last = costs[-1]
    if not gap or last.again - gap <= BETWEEN * gap:
        return ok(told)
    seen = f"{told}: more than the {BETWEEN} draft tokens take that there are between two, as a rule."
    fewer = "COSTEER_MARGIN=0.5 sends about 40% fewer, and steers less (docs/evaluation.md)."
    if last.again - least > max(gap, ANEW * (last.anew - least)):
        return warning(
            f"{seen} The prompt is read anew each time.",
            "Start vLLM with --enable-prefix-caching; behind a router, set COSTEER_REMOTE_SESSION_HEADER. "
            f"Where neither helps, {fewer}",
        )
    return warning(seen, fewer)


async def _first_token(remote: RemoteModel, prompt: Sequence[int], clock: Clock) -> float:
    """Seconds to the first draft token."""
    started = clock()
    drafted = remote.draft(prompt, sampling=SAMPLING, top_logprobs=1, max_tokens=1)
    async with aclosing(drafted) as positions:
        async for _ in positions:
            pass
    return clock() - started


async def _pace(remote: RemoteModel, ids: Sequence[int], clock: Clock) -> tuple[float, float]:
    """Seconds to the first draft token behind a short prompt, and the mean from one to the next; 0 where it
    drafts one alone."""
    times = [clock()]
    drafted = remote.draft(ids, sampling=SAMPLING, top_logprobs=1, max_tokens=DRAFTED)
    async with aclosing(drafted) as positions:
        async for _ in positions:
            times.append(clock())  # noqa: PERF401  # when it came
    least = times[min(1, len(times) - 1)] - times[0]
    return least, (times[-1] - times[1]) / (len(times) - 2) if len(times) > 2 else 0.0
