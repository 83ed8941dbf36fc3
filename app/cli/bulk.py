"""Adds many history items in batches, so that others can write in between and Ctrl-C keeps whole batches."""

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

# Limits of one transaction: items, and characters of requests and texts unless it has a single item.
BATCH = 1000
BATCH_CHARACTERS = 4_000_000
# Another writer that waits for the lock polls it every 100 ms at the latest. A longer pause, once a second,
# lets it in; without pauses a server might wait until its timeout.
PAUSE_EVERY = 1.0
PAUSE = 0.12


def add_all(history: HistoryStore, profile_id: str, items: Sequence[HistoryItem]) -> None:
    """Adds the items in order. If interrupted, prints how many are stored, and re-raises the exception."""
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
    """Splits the items, in order, into batches within the limits."""
    start = size = 0
    for number, item in enumerate(items):
        length = len(item.request) + len(item.text)
        size += length
        if number > start and (number - start == BATCH or size > BATCH_CHARACTERS):
            yield items[start:number]
            start, size = number, length
    if start < len(items):
        yield items[start:]


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C was pressed, which raises nothing; a second one does."""
    pressed = False
    before = signal.getsignal(signal.SIGINT)

    def remember(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    if before is not signal.default_int_handler:  # ignored, as in a background job, or handled elsewhere
        yield lambda: False
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
