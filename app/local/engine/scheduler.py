"""The scheduler: one thread runs forward passes batched over all waiting jobs, fair to each of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch

from app.local.engine.branch import Branch
from app.local.engine.kv_cache import KVCache
from app.local.engine.memory import trim
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.engine.prefix_cache import PrefixCache
from app.local.engine.ragged import Part
from app.tokenization.sequence import common_prefix

T = TypeVar("T")
Forward = Callable[[Sequence[Part]], list[torch.Tensor]]

# Seconds that a pass may take, which bounds how long a new job waits and a cancelled one still runs.
PASS_SECONDS, BACKGROUND_SECONDS = 0.25, 0.1
FEWEST, MOST = 32, 2048  # bounds on the tokens in a pass, whatever it costs
# Seconds to wait for callers whose jobs the last pass completed to submit the next, so that they share it.
COMPANY = 0.002
TRIM_SECONDS = 60.0  # between two returns of free memory to the system


class Lease:
    """The KV caches of one caller, one per sequence. Only the scheduler's thread looks inside.

    `owner` is the profile that can reuse them; None for requests without a profile.
    """

    def __init__(self, owner: Owner | None = None) -> None:
        self.owner = owner
        self.caches: list[KVCache] = []


@dataclass(eq=False)
class Job(Generic[T]):
    """Sequences for a lease's caches to hold; `finish` makes the result from the last `keep`
    rows of log-probabilities of each.

    `branches`, per sequence, are computed too but not kept; their rows come after the others. `background`
    jobs wait until there is no other. `found` counts tokens that were already cached.
    """

    lease: Lease
    sequences: Sequence[Sequence[int]]
    keep: int
    finish: Callable[[list[torch.Tensor]], T]
    background: bool = False
    branches: Sequence[Sequence[Branch]] = ()
    found: int = 0
    pending: list[Sequence[int]] = field(default_factory=list)
    rows: list[list[torch.Tensor]] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    done: asyncio.Future[T] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    abandoned: bool = False

    def since(self, row: int) -> int:
        """The token of a sequence from which on it may be left: where its first kept row is, or a branch."""
        starts = (branch.start for branch in (self.branches[row] if self.branches else ()))
        return min([len(self.sequences[row]) - self.keep, *starts])

    def settle(self, result: T | None, error: BaseException | None = None) -> None:
        """Hand the result, or the error, to the caller that awaits it in the event loop."""

        def tell() -> None:
            if self.done.done():
                return
            if error is not None:
                self.done.set_exception(error)
            else:
                self.done.set_result(result)  # type: ignore[arg-type]

        # When the process ends during a pass the loop is closed: nobody awaits the result any more.
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(tell)


class Scheduler:
    """Runs jobs by calling `forward`, which extends the caches of the parts it is given."""

    def __init__(self, forward: Forward, caches: PrefixCache) -> None:
        self.cost = PassCost()
        self._forward = forward
        self._caches = caches
        self._changed = threading.Condition()
        self._arrived: list[Job[Any]] = []
        self._released: list[Lease] = []
        self._closing = False
        self._jobs: list[Job[Any]] = []
        self._expected: set[Lease] = set()
        self._expected_until = 0.0
        self._next_trim = 0.0
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)
        self._thread.start()

    async def run(self, job: Job[T]) -> T:
        """Run a job for its result. If the caller is cancelled, the job is dropped before the next pass."""
        with self._changed:
            if self._closing:
                raise RuntimeError("the model is closed")
            self._arrived.append(job)
            self._changed.notify()
        try:
            return await job.done
        except asyncio.CancelledError:
            job.abandoned = True
            raise

    def release(self, lease: Lease) -> None:
        """Take back a lease's caches, once the running pass has ended, and drop its jobs."""
        with self._changed:
            self._released.append(lease)
            self._changed.notify()

    def owners(self) -> frozenset[Owner]:
        """The owners of the KV caches."""
        return self._caches.owners()

    def forget(self, owners: Collection[Owner]) -> None:
        """Drop the KV caches of these owners, and return their memory to the system. Thread-safe."""
        if owners:
            self._caches.forget(owners)
            trim()

    def close(self) -> None:
        """Finish the running pass, if any, and end the thread. Waiting jobs fail."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._receive():
            jobs = self._jobs = [job for job in self._jobs if not job.abandoned]
            jobs = [job for job in jobs if not job.background] or jobs
            if jobs:
                self._pass(jobs)
        for job in self._jobs:
            job.settle(None, RuntimeError("the model was closed"))

    def _receive(self) -> bool:
        """Wait for jobs or released leases and take them over; False when closing."""
        with self._changed:
            while not self._closing:
                self._expected.difference_update(job.lease for job in self._arrived)
                self._expected.difference_update(self._released)
                patience = self._expected_until - time.monotonic() if self._expected else 0.0
                busy = bool(self._jobs or self._arrived)
                if (busy and patience <= 0.0) or (self._released and not busy):
                    break
                self._changed.wait(patience if busy else None)
            arrived, self._arrived = self._arrived, []
            released, self._released = self._released, []
        for job in arrived:
            if not job.abandoned:
                self._try_to_admit(job)
        self._jobs = [job for job in self._jobs if job.lease not in released]
        for lease in released:
            for cache in lease.caches:
                self._caches.give_back(cache)
            lease.caches = []
        if released and time.monotonic() >= self._next_trim:
            self._next_trim = time.monotonic() + TRIM_SECONDS
            trim()
        return not self._closing

    def _try_to_admit(self, job: Job[Any]) -> None:
        try:
            self._admit(job)
        except Exception as error:  # no memory for a copy of a cache, say; all others go on
            for cache in job.lease.caches:
                cache.clear()
            job.settle(None, error)

    def _admit(self, job: Job[Any]) -> None:
        lease = job.lease
        for sequence in job.sequences[len(lease.caches) :]:
            lease.caches.append(self._caches.lend(sequence, lease.owner))
        for row, (cache, sequence) in enumerate(zip(lease.caches, job.sequences, strict=True)):
            held = min(common_prefix(cache.tokens, sequence), len(sequence) - job.keep)
            # Branches need a state at or before their start; what is computed again is little.
            if (since := job.since(row)) < held and cache.reach(since) < since:
                held = since
            cache.rollback(held)
            held = len(cache.tokens)
            job.found += held
            job.pending.append(sequence[held:])
            job.rows.append([])
        self._jobs.append(job)

    def _pass(self, jobs: Sequence[Job[Any]]) -> None:
        """One forward pass for `jobs`; the jobs that it completes are settled."""
        started = time.monotonic()
        limit = BACKGROUND_SECONDS if jobs[0].background else PASS_SECONDS
        room = min(max(self.cost.tokens_within(limit), FEWEST), MOST)
        waiting = [(job, row) for job in jobs for row in range(len(job.pending)) if job.pending[row]]
        counts = shares([len(job.pending[row]) for job, row in waiting], room)
        taken = [(job, row, count) for (job, row), count in zip(waiting, counts, strict=True) if count]
        parts = [_part(job, row, count) for job, row, count in taken]
        try:
            outputs = self._forward(parts)
        except Exception as error:  # whatever it is, the waiting callers get it
            self._jobs = [job for job in self._jobs if job not in jobs]
            for job in jobs:
                job.settle(None, error)
            return
        for (job, row, count), logprobs in zip(taken, outputs, strict=True):
            job.pending[row] = job.pending[row][count:]
            job.rows[row].append(logprobs)
        self.cost.observe(sum(map(len, parts)), time.monotonic() - started)
        complete = [job for job in jobs if not any(job.pending)]
        self._jobs = [job for job in self._jobs if job not in complete]
        for job in complete:
            try:
                job.settle(job.finish([rows[0] if len(rows) == 1 else torch.cat(rows) for rows in job.rows]))
            except Exception as error:  # likewise
                job.settle(None, error)
        self._expected = {job.lease for job in complete}
        self._expected_until = time.monotonic() + COMPANY


def shares(wanted: Sequence[int], room: int) -> list[int]:
    """How many of its `wanted` tokens each sequence gets of `room`: max-min fair, never more than wanted.

    At least one each, so that all make progress.
    """
    given = [0] * len(wanted)
    left = room
    for rank, index in enumerate(sorted(range(len(wanted)), key=lambda index: wanted[index])):
        given[index] = max(1, min(wanted[index], left // (len(wanted) - rank)))
        left -= given[index]
    return given


def _part(job: Job[Any], row: int, count: int) -> Part:
    pending = job.pending[row]
    # The kept positions are the last ones of the sequence; a part may end before the first of them.
    keep = max(0, count - max(0, len(pending) - job.keep))
    branches = job.branches[row] if job.branches and count == len(pending) else ()
    return Part(job.lease.caches[row], pending[:count], keep, branches, job.since(row))
