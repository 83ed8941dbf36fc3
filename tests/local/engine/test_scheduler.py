"""The one thread of forward passes: what is shared, what is fair, and what becomes of those who leave."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.local.engine.kv_cache import KVCache
from app.local.engine.memory import trim
from app.local.engine.owner import Owner
from app.local.engine.prefix_cache import PrefixCache
from app.local.engine.ragged import Part
from app.local.engine.scheduler import FEWEST, Job, Lease, Scheduler, shares


class Passes:
    """A forward pass that computes nothing: the logit after a token is the token. Each waits for leave."""

    def __init__(self) -> None:
        self.sizes: list[list[int]] = []
        self.leave = threading.Event()
        self.leave.set()
        self.begun = threading.Semaphore(0)
        self.failure: Exception | None = None

    def __call__(self, parts: Sequence[Part]) -> list[torch.Tensor]:
        self.sizes.append([len(part.ids) for part in parts])
        self.begun.release()
        self.leave.wait()
        if self.failure is not None:
            raise self.failure
        for part in parts:
            part.cache.tokens.extend(part.ids)
        return [
            torch.tensor([[float(i)] for i in part.ids[len(part.ids) - part.keep :]]).reshape(part.keep, 1)
            for part in parts
        ]

    async def has_begun(self) -> None:
        await asyncio.to_thread(self.begun.acquire)


@pytest.fixture
async def passes() -> Passes:
    return Passes()


@pytest.fixture
async def scheduler(passes: Passes) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(passes, PrefixCache(1 << 20))
    yield scheduler
    passes.leave.set()
    await asyncio.to_thread(scheduler.close)


def job(lease: Lease, *sequences: list[int], keep: int = 1, background: bool = False) -> Job[list[list[int]]]:
    return Job(lease, sequences, keep, lambda all_: [[int(i) for i in one[:, 0]] for one in all_], background)


async def test_the_logits_are_those_of_the_last_tokens_of_each_sequence(scheduler: Scheduler) -> None:
    lease, long = Lease(), list(range(5 * FEWEST))
    assert await scheduler.run(job(lease, long, [7, 8, 9], keep=2)) == [long[-2:], [8, 9]]
    # Held now: only what is new is computed, and what changed is rolled back.
    again = job(lease, [*long[:50], 1, 2], [7, 8], keep=1)
    assert await scheduler.run(again) == [[2], [8]]
    assert again.found == 50 + 1


async def test_all_who_wait_share_a_pass(scheduler: Scheduler, passes: Passes) -> None:
    passes.leave.clear()
    first = asyncio.create_task(scheduler.run(job(Lease(), [1])))
    await passes.has_begun()
    others = [asyncio.create_task(scheduler.run(job(Lease(), [n, n], [n]))) for n in range(2, 6)]
    await asyncio.sleep(0)
    passes.leave.set()
    await asyncio.gather(first, *others)
    assert passes.sizes == [[1], [2, 1] * 4]


async def test_a_long_prompt_does_not_hold_up_a_short_one(scheduler: Scheduler, passes: Passes) -> None:
    passes.leave.clear()
    long = asyncio.create_task(scheduler.run(job(Lease(), list(range(100_000)))))
    await passes.has_begun()
    short = asyncio.create_task(scheduler.run(job(Lease(), [1, 2, 3])))
    await asyncio.sleep(0)
    passes.leave.set()
    await short
    assert not long.done()
    assert passes.sizes[1][1] == 3  # it was in the very next pass
    long.cancel()


async def test_who_leaves_is_in_no_further_pass_and_what_it_computed_is_kept(
    scheduler: Scheduler, passes: Passes
) -> None:
    passes.leave.clear()
    lease, ids = Lease(), list(range(100_000))
    leaving = asyncio.create_task(scheduler.run(job(lease, ids)))
    await passes.has_begun()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    scheduler.release(lease)
    passes.leave.set()
    again = job(Lease(), [*ids[:20], 5])
    await scheduler.run(again)
    assert len(passes.sizes) == 2
    assert again.found == 20


async def test_background_work_waits_until_nothing_else_does(scheduler: Scheduler, passes: Passes) -> None:
    passes.leave.clear()
    first = asyncio.create_task(scheduler.run(job(Lease(), [1])))
    await passes.has_begun()
    warm = asyncio.create_task(scheduler.run(job(Lease(), [4] * 10, background=True)))
    urgent = asyncio.create_task(scheduler.run(job(Lease(), [5] * 20)))
    await asyncio.sleep(0)
    passes.leave.set()
    await asyncio.gather(first, warm, urgent)
    assert passes.sizes == [[1], [20], [10]]


async def test_an_error_reaches_those_in_the_pass_and_the_next_pass_is_made(
    scheduler: Scheduler, passes: Passes
) -> None:
    passes.failure = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        await scheduler.run(job(Lease(), [1]))
    passes.failure = None
    assert await scheduler.run(job(Lease(), [2])) == [[2]]


async def test_a_cache_that_finds_no_memory_fails_its_job_and_no_other(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error there would end the thread, and everybody would wait for ever."""
    lend = PrefixCache.lend

    def full(self: PrefixCache, sequence: Sequence[int], owner: Owner | None) -> KVCache:
        if len(sequence) > 3:
            raise RuntimeError("out of memory")
        return lend(self, sequence, owner)

    monkeypatch.setattr(PrefixCache, "lend", full)
    lease = Lease()
    with pytest.raises(RuntimeError, match="out of memory"):
        await asyncio.wait_for(scheduler.run(job(lease, [1, 2], [1, 2, 3, 4])), 30)
    assert await asyncio.wait_for(scheduler.run(job(Lease(), [1, 2])), 30) == [[2]]
    assert await asyncio.wait_for(scheduler.run(job(lease, [1, 2], [3])), 30) == [[2], [3]]


async def test_an_error_in_one_result_is_its_own_alone(scheduler: Scheduler, passes: Passes) -> None:
    passes.leave.clear()
    first = asyncio.create_task(scheduler.run(job(Lease(), [1])))
    await passes.has_begun()
    broken = asyncio.create_task(scheduler.run(Job(Lease(), [[1]], 1, lambda all_: 1 / 0)))
    good = asyncio.create_task(scheduler.run(job(Lease(), [3])))
    await asyncio.sleep(0)
    passes.leave.set()
    assert await first == [[1]]
    assert await good == [[3]]
    with pytest.raises(ZeroDivisionError):
        await broken


async def test_closing_fails_what_waits_and_takes_no_more(passes: Passes) -> None:
    scheduler = Scheduler(passes, PrefixCache(0))
    passes.leave.clear()
    waiting = asyncio.create_task(scheduler.run(job(Lease(), list(range(100_000)))))
    await passes.has_begun()
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    await asyncio.sleep(0.2)  # until the thread has begun to close
    passes.leave.set()
    await closing
    with pytest.raises(RuntimeError, match="closed"):
        await waiting
    with pytest.raises(RuntimeError, match="closed"):
        await scheduler.run(job(Lease(), [1]))


async def test_a_job_that_is_done_is_held_by_nobody(scheduler: Scheduler) -> None:
    """Its tokens are a prompt, and the thread may have nothing else to do for hours."""
    lease = Lease()
    done = job(lease, [1, 2, 3])
    await scheduler.run(done)
    left = weakref.ref(done)
    del done
    scheduler.release(lease)
    async with asyncio.timeout(10):  # the thread may be a moment behind
        while left() is not None:
            await asyncio.sleep(0.001)
            gc.collect()


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.integers(1, 600))
def test_shares_are_as_equal_as_can_be(wanted: list[int], room: int) -> None:
    given_ = shares(wanted, room)
    assert all(1 <= got <= want for got, want in zip(given_, wanted, strict=True))
    assert sum(given_) <= max(room, len(wanted))
    if sum(wanted) > room >= len(wanted):
        assert sum(given_) > room - len(wanted)
    unsatisfied = [got for got, want in zip(given_, wanted, strict=True) if got < want]
    if unsatisfied:  # nobody got more than those who want more, but for what cannot be divided
        assert max(given_) - min(unsatisfied) <= 1


async def test_free_memory_is_given_back_after_replies_and_not_after_each(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    trims: list[int] = []
    monkeypatch.setattr("app.local.engine.scheduler.trim", lambda: trims.append(1))
    for _ in range(5):
        lease = Lease()
        await scheduler.run(job(lease, [1, 2, 3]))
        scheduler.release(lease)
    await scheduler.run(job(Lease(), [4]))  # by now all have been taken back
    assert len(trims) == 1


def test_giving_memory_back_does_no_harm() -> None:
    kept = torch.arange(1_000_000)
    del kept
    trim()
