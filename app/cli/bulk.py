"""Adds many items in batches, so that others can write in between and Ctrl-C leaves whole batches."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from app.cli.progress import ItemProgress
from app.cli.terminal import say
from app.profiles.profile import HistoryItem
from app.profiles.store import HistoryStore

# One transaction: at most so many items, and so many characters if there is more than one.
BATCH = 1000
BATCH_CHARACTERS = 4_000_000
# Who waits for the database asks SQLite again every 100 ms at the latest. A pause longer than that, once a
# second, lets them in; without it a server might wait until it gives up.
PAUSE_EVERY = 1.0
PAUSE = 0.12


def add_all(history: HistoryStore, profile_id: str, items: Sequence[HistoryItem]) -> None:
    """Adds the items in order. When it is broken off, says how many are stored, and raises what did it."""
    done = 0
    try:
        with _interrupts() as interrupted, ItemProgress("Adding items", len(items)) as progress:
            paused = time.monotonic()
            for batch in batches(items):
                history.add(profile_id, batch)
                done += len(batch)
                progress.advance(len(batch))
                if interrupted() and done < len(items):
                    raise KeyboardInterrupt
                if done < len(items) and time.monotonic() - paused > PAUSE_EVERY:
                    time.sleep(PAUSE)
                    paused = time.monotonic()
    except BaseException:
        say(f"The first {done:,} of {len(items):,} items are stored, the others are not.")
        raise


def batches(items: Sequence[HistoryItem]) -> Iterator[Sequence[HistoryItem]]:
    """The items in order, in pieces of at most BATCH."""
    start = size = 0
    for number, item in enumerate(items):
        size += len(item.text)
        if number > start and (number - start == BATCH or size > BATCH_CHARACTERS):
            yield items[start:number]
            start, size = number, len(item.text)
    if start < len(items):
        yield items[start:]


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, instead of KeyboardInterrupt; a second one works as ever."""
    pressed = False
    before = signal.getsignal(signal.SIGINT)

    def remember(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    if before is not signal.default_int_handler:  # ignored, as in a shell's background job, or another's
        yield lambda: False
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
