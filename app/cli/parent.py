"""The process that has started a worker, as that has it: it is told news, and asks for signs of life."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from app.cli.announcing import Met


@dataclass(frozen=True)
class Refused:
    """Why a worker cannot start. `misconfigured`: it would not either before the settings are changed."""

    message: str
    misconfigured: bool


@dataclass(frozen=True)
class Alive:
    """The answer to a question, which is any bytes: the event loop runs."""


News = Met | Refused | Alive


class Parent:
    """The worker's end of the pipe between the two."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def tell(self, news: News) -> None:
        with suppress(OSError):  # it has ended, and so will this one
            self._pipe.send(news)

    @contextmanager
    def attended(self, end: Callable[[], None]) -> Iterator[None]:
        """Within the block the running event loop answers its questions, and calls `end` once it has ended,
        however that was."""
        loop, process, pipe = (
            asyncio.get_running_loop(),
            multiprocessing.parent_process(),
            self._pipe.fileno(),
        )

        def answer() -> None:
            try:
                self._pipe.recv_bytes()
            except (EOFError, OSError):  # it has ended, as the sentinel says
                loop.remove_reader(pipe)
            else:
                self.tell(Alive())

        def ended(sentinel: int) -> None:
            loop.remove_reader(sentinel)
            end()

        loop.add_reader(pipe, answer)
        if process is not None:
            loop.add_reader(process.sentinel, ended, process.sentinel)
        try:
            yield
        finally:
            loop.remove_reader(pipe)
            if process is not None:
                loop.remove_reader(process.sentinel)
