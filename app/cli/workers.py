"""Serves with several processes on one port: starts them, replaces those that end, and ends them all."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn, Protocol

from rich.console import Console

from app.api.received import swept
from app.cli.announcing import Met, announce
from app.cli.parent import Alive, Parent, Refused
from app.errors import CoSteerError, SettingsError, TokenizerMismatch
from app.logs import write_log
from app.profiles.store import Store
from app.profiles.store.shelves import StoredShelves
from app.settings.settings import Settings

log = logging.getLogger(__name__)

# Seconds that workers get to end after a signal: what open requests get (see serving.py), and some to close.
GRACE_SECONDS = 15.0
# A worker that serves for less, if at all, is replaced after a while: a second, then twice as long each time.
LASTING_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# So often each worker may end before any has served; then none ever will.
TRIES = 3
# Seconds between two looks at whether those that serve still do, and after how many looks without an answer
# one is killed. Looks are counted, not seconds: whatever stops this process, too, is one look long.
LOOK_SECONDS, PATIENT_LOOKS = 10.0, 6

NEVER = (
    "No worker can start: each has ended {tries} times before it served, the last one with {how}. The log "
    "above says why, unless the system has ended them, as for want of memory."
)


def run_workers(settings: Settings, listener: socket.socket, console: Console) -> None:
    """Serves on `listener` until a signal, whose SystemExit or KeyboardInterrupt it raises once all workers
    have ended. Raises CoSteerError if none can start."""
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, lambda number, _frame: sys.exit(128 + number))
    context = multiprocessing.get_context("spawn")

    def started(number: int) -> Started:
        here, there = context.Pipe()
        process = context.Process(
            target=work, args=(number, settings, listener, there), name=f"worker {number}", daemon=True
        )
        process.start()
        there.close()
        return Started(process, here)

    with _prepared(settings.data_dir):
        workers = Workers(settings.workers, started, lambda met: announce(console, listener, met))
        with workers.running():
            workers.watch(closing=listener)


@contextmanager
def _prepared(data_dir: Path) -> Iterator[None]:
    """While the workers run: what one process does for all of them is done. Raises StoreError."""
    Store.open(data_dir).close()
    with swept(data_dir):
        with StoredShelves.open(data_dir) as shelves:
            shelves.board.clear()  # what earlier workers counted
        yield


class Process(Protocol):
    """What is needed of a process."""

    @property
    def pid(self) -> int | None: ...
    @property
    def exitcode(self) -> int | None: ...
    @property
    def sentinel(self) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def join(self, timeout: float | None = None) -> None: ...


@dataclass(frozen=True)
class Started:
    """A process, and where it says once that it serves (Met) or why it cannot (Refused), and answers whatever
    it is asked (Alive)."""

    process: Process | BaseProcess
    news: Connection


@dataclass
class _Worker:
    """One place among the workers. `served`: since when its process serves; `silent`: looks since that has
    answered; `due`: when the next one begins; `failures`: how many in a row did not last."""

    number: int
    started: Started | None = None
    served: float = math.inf
    silent: int = 0
    due: float = -math.inf
    failures: int = 0


class Workers:
    """The worker processes. `start` starts one by its number, from 1; `serves` is called once, when the first
    one serves."""

    def __init__(
        self,
        count: int,
        start: Callable[[int], Started],
        serves: Callable[[Met], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._start, self._serves, self._clock = start, serves, clock
        self._met = False
        self._look = clock() + LOOK_SECONDS

    @contextmanager
    def running(self) -> Iterator[None]:
        """At the end of the block the workers end: they finish what they can, and those that take too long
        are killed. A second signal kills them at once."""
        try:
            yield
        finally:
            alive = [one.started.process for one in self._workers if one.started is not None]
            try:
                for process in alive:
                    process.terminate()
                deadline = self._clock() + GRACE_SECONDS
                for process in alive:
                    process.join(max(0.0, deadline - self._clock()))
            finally:
                for process in alive:
                    if process.exitcode is None:
                        log.warning("worker process %s did not end in time and is killed", process.pid)
                        process.kill()
                        process.join()

    def watch(self, closing: socket.socket | None = None) -> NoReturn:
        """Keeps all workers running. Raises what a signal raises and, as long as none has served, the error
        of one that cannot start, or CoSteerError where they end and none says why. Then `closing` is closed,
        so that nobody connects to what ends."""
        try:
            while True:
                self.start_due()
                self.step()
        finally:
            if closing is not None:
                closing.close()

    def start_due(self) -> None:
        """Starts those that are due. Raises OSError where none has ever served; later it is tried again."""
        for worker in self._workers:
            if worker.started is None and worker.due <= self._clock():
                worker.served, worker.silent = math.inf, 0
                try:
                    worker.started = self._start(worker.number)
                except OSError as error:  # no memory, processes or files are left for it
                    if not self._met:
                        raise
                    pause = self._rests(worker)
                    log.error(
                        "worker %d cannot be started: %s; tried again in %.0f s", worker.number, error, pause
                    )

    def step(self) -> None:
        """Waits until something happens, another one is due or it is time for a look, and looks what."""
        next_due = min((one.due for one in self._workers if one.started is None), default=math.inf)
        patience = max(0.0, min(next_due, self._look) - self._clock())
        there = [one.started for one in self._workers if one.started is not None]
        happened = wait([one.process.sentinel for one in there] + [one.news for one in there], patience)
        for worker in self._workers:
            if worker.started is not None and worker.started.news in happened:
                self._hear(worker, worker.started)
            if worker.started is not None and worker.started.process.sentinel in happened:
                self._replace(worker, worker.started)
        if self._look <= self._clock():
            self._look = self._clock() + LOOK_SECONDS
            for worker in self._workers:
                if worker.started is not None and worker.served < math.inf:
                    self._ask(worker, worker.started)

    def _ask(self, worker: _Worker, started: Started) -> None:
        """Asks whether it still works, or kills it if it has not answered for long."""
        if worker.silent >= PATIENT_LOOKS:
            log.error(
                "worker %d (process %s) answers nothing and is killed", worker.number, started.process.pid
            )
            started.process.kill()
        elif not worker.silent:  # one question at a time: what is not read must not fill the pipe
            with suppress(OSError):  # it has ended
                started.news.send_bytes(b"")
        worker.silent += 1

    def _hear(self, worker: _Worker, started: Started) -> None:
        try:
            news = started.news.recv()
        except (EOFError, OSError):  # it has ended
            return
        if isinstance(news, Alive):
            worker.silent = 0
        elif isinstance(news, Met):
            worker.served = self._clock()
            if not self._met:
                self._met = True
                self._serves(news)
        elif isinstance(news, Refused):
            if not self._met:
                raise SettingsError(news.message) if news.misconfigured else CoSteerError(news.message)
            log.error("a worker could not start: %s", news.message)

    def _replace(self, worker: _Worker, started: Started) -> None:
        started.process.join()
        started.news.close()
        pause = self._rests(worker)
        log.warning(
            "worker %d (process %s) ended: %s; another one begins in %.0f s",
            worker.number,
            started.process.pid,
            _how(started.process.exitcode),
            pause,
        )
        if not self._met and all(one.failures >= TRIES for one in self._workers):
            raise CoSteerError(NEVER.format(tries=TRIES, how=_how(started.process.exitcode)))

    def _rests(self, worker: _Worker) -> float:
        """Leaves its place empty for the seconds that this returns."""
        lasted = self._clock() - worker.served >= LASTING_SECONDS
        worker.failures = 0 if lasted else worker.failures + 1
        pause = 0.0 if lasted else min(FIRST_PAUSE * 2 ** (worker.failures - 1), LONGEST_PAUSE)
        worker.started, worker.due = None, self._clock() + pause
        return pause


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with suppress(ValueError):
            return signal.Signals(-exitcode).name
    return f"status {exitcode}"


def work(number: int, settings: Settings, listener: socket.socket, pipe: Connection) -> None:
    """A worker process: serves until it is told to end, or whoever started it has ended."""
    # Ctrl-C goes to all processes of a terminal's group, but the workers end when they are told to.
    os.setsid()
    write_log(settings.log_level, settings.log_format)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    from app.cli.serving import run_worker  # noqa: PLC0415  # after the log is set up

    parent = Parent(pipe)
    try:
        run_worker(number, settings, listener, parent)
    except CoSteerError as error:
        parent.tell(Refused(str(error), isinstance(error, (SettingsError, TokenizerMismatch))))
        sys.exit(1)
    except Exception:
        # Here, since multiprocessing would print the error's text, which may quote anything.
        log.exception("a worker ends by an error that was not expected")
        sys.exit(1)
