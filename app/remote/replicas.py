"""Which of several remotes of one model may be asked now: one that fails rests, and is compared anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import replace

import anyio

from app.errors import CoSteerError, RateLimited, RemoteError, RemoteTimeout, RemoteUnavailable
from app.remote.interface import ModelCard, RemoteModel
from app.remote.replica import Identity, Replica, identity_of

# Seconds that the others are waited for once one has told what it serves.
GRACE = 2.0
# What each of the remotes that were tried said, by its number.
Tried = dict[int, CoSteerError]
# The error that stands for several is of the first of these that is among them: what a client best waits for.
MILDEST = (RateLimited, RemoteTimeout, RemoteUnavailable)
log = logging.getLogger(__name__)


class Replicas:
    """The remotes in the order of the settings, and how each does.

    The first that tells what it serves says which model it is; the others must serve the same. Comparing
    happens in the background, and sends fixed texts only. Close it with `aclose`; the remotes stay open.
    """

    def __init__(
        self,
        remotes: Sequence[RemoteModel],
        *,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], object] = log.warning,
    ) -> None:
        """`tell` is told what changes, in words for the log."""
        self.all = [Replica(number, remote) for number, remote in enumerate(remotes, 1)]
        self._clock = clock
        self._tell = tell
        self._model: Identity | None = None
        self._running: dict[asyncio.Task[None], anyio.CancelScope] = {}

    async def aclose(self) -> None:
        tasks = list(self._running)
        for scope in self._running.values():
            scope.cancel()  # not task.cancel(): see decoding/draft.py
        if tasks:
            await asyncio.wait(tasks)

    @property
    def card(self) -> ModelCard | None:
        """The model, which takes as many tokens as the least of the remotes does; None: not known yet."""
        if self._model is None:
            return None
        given = [one.card.max_model_len for one in self.all if one.card and one.card.max_model_len]
        return replace(self._model.card, max_model_len=min(given, default=None))

    async def take(self, tried: Tried, kept: Replica | None = None) -> Replica | None:
        """The remote to ask: the one that was `kept`, else the first that works. None once all were `tried`;
        those that cannot be used are then among them, with why."""
        if self._model is None:
            await self._opened()
        self._revive()
        if (ready := self._ready(tried)) is not None:
            return kept if kept is not None and kept.ready and kept.number not in tried else ready
        # None works: then those that rest are not left alone, and those that are slow are waited for, until
        # the first of them works: one that hangs must not hold up a reply that another can write.
        left = [one for one in self.all if one.number not in tried]
        waiting = {self._admitted(one) for one in left if self._model and one.state != "another model"}
        while waiting and self._ready(tried) is None:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if (ready := self._ready(tried)) is None:
            tried |= {one.number: one.error for one in left if one.error is not None}
        return ready

    def free(self, tried: Tried) -> bool:
        """Whether one that was not tried works."""
        return self._ready(tried) is not None

    def failed(self, replica: Replica, error: CoSteerError) -> None:
        """Leave a remote alone for a while, since it has failed."""
        rest = replica.rests(error, self._clock())
        why = error.code or type(error).__name__
        self._tell(f"Remote {replica.number} fails ({why}), and is left alone for {rest:.1f} s.")

    def doubt(self, replica: Replica) -> None:
        """Ask a remote in the background whether it works, since it has failed at what may be wrong itself.
        It is used until it has answered."""
        self._admitted(replica)

    async def compare(self) -> None:
        """Ask each remote that does not work what it serves, and wait for that."""
        if self._model is None:
            await self._opened()
        await _done([self._admitted(one) for one in self.all if not one.ready])

    def _ready(self, tried: Tried) -> Replica | None:
        return next((one for one in self.all if one.ready and one.number not in tried), None)

    def _revive(self) -> None:
        """Compare those that have rested, in the background: no request waits for one that may be away."""
        for one in self.all:
            if not one.ready and one.state != "not compared" and self._clock() >= one.due:
                self._admitted(one)

    async def _opened(self) -> None:
        """Compare all for the first time. Returns once it is known which model it is, and the others have had
        time to prove the same."""
        _, left = await asyncio.wait([self._admitted(one) for one in self.all], timeout=GRACE)
        while left and self._model is None:
            _, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)

    def _admitted(self, replica: Replica) -> asyncio.Task[None]:
        """The comparison of one remote: one for all who ask."""
        if replica.admission is None or replica.admission.done():
            replica.admission = self._start(self._admit(replica))
        return replica.admission

    async def _admit(self, replica: Replica) -> None:
        told = await _told(replica.remote)
        earlier = [one.admission for one in self.all[: replica.number - 1] if one.admission is not None]
        if self._model is None and earlier:
            # The first in order says which model it is, and not the one that happened to be the fastest.
            await asyncio.wait(earlier, timeout=GRACE)
        self._judge(replica, told)

    def _judge(self, replica: Replica, told: Identity | CoSteerError) -> None:
        if isinstance(told, CoSteerError):
            self.failed(replica, told)
            return
        self._model = self._model or told
        if (how := self._model.differs(told)) is not None:
            replica.is_another(how, self._clock())
            self._tell(f"Remote {replica.number} is not used: it {how}.")
            return
        if self._model.probe is None:
            self._model = told
        if replica.state == "resting":
            self._tell(f"Remote {replica.number} works again.")
        replica.is_same(told.card)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """In the background, and in no reply's context: what is sent there is not of the reply."""
        scope = anyio.CancelScope()

        async def scoped() -> None:
            with scope:
                await work

        task = asyncio.create_task(scoped(), context=Context())
        self._running[task] = scope
        task.add_done_callback(self._running.pop)
        return task


async def _done(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Until all are done; they go on where the one who waits is cancelled."""
    if tasks:
        await asyncio.wait(tasks)


async def _told(remote: RemoteModel) -> Identity | CoSteerError:
    try:
        return await identity_of(remote)
    except CoSteerError as error:
        return error


def all_failed(tried: Tried) -> CoSteerError:
    """One error for those of all remotes, which says what each of them said."""
    errors = [tried[number] for number in sorted(tried)]
    kinds: tuple[type[CoSteerError], ...] = (*MILDEST, RemoteError)
    kind = next((kind for kind in kinds if any(isinstance(one, kind) for one in errors)), RemoteError)
    waits = [one.retry_after for one in errors if one.retry_after is not None]
    said = " ".join(f"Remote {number}: {tried[number].message}" for number in sorted(tried))
    return kind(f"None of the {len(tried)} remotes can be used. {said}", retry_after=min(waits, default=None))
