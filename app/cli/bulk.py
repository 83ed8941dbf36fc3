"""Changes many history items in batches, so that others can write in between and Ctrl-C keeps whole ones."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from app.cli.progress import ItemProgress
from app.cli.terminal import say
from app.profiles.batches import batches
from app.profiles.origin import Change
from app.profiles.store import SourceStore

# Another writer that waits for the lock polls it every 100 ms at the latest. A longer pause, once a second,
# lets it in; without pauses a server might wait until its timeout.
PAUSE_EVERY = 1.0
PAUSE = 0.12


def apply_all(
    sources: SourceStore, profile_id: str, changes: Iterable[Change], total: int
) -> Counter[type[Change]]:
    """Makes the changes in order, at most `total`, and counts those made. If interrupted, prints how many
    are stored, and re-raises the exception."""
    made: Counter[type[Change]] = Counter()
    done = 0
    try:
        with _interrupts() as interrupted, ItemProgress("Storing items", total) as progress:
            paused = time.monotonic()
            for batch in batches(changes):
                made += sources.apply(profile_id, batch)
                done += len(batch)
                progress.advance(len(batch))
                if interrupted() and done < total:
                    raise KeyboardInterrupt
                if done < total and time.monotonic() - paused > PAUSE_EVERY:
                    time.sleep(PAUSE)
                    paused = time.monotonic()
    except BaseException:
        say(f"The first {done:,} of {total:,} items are stored, the others are not.")
        raise
    return made


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C was pressed, which raises nothing; a second one does."""
    pressed = False
    before = signal.getsignal(signal.SIGINT)

    def remember(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    main = threading.current_thread() is threading.main_thread()
    # Ignored, as in a background job, or handled elsewhere; a thread can set no handler.
    if before is not signal.default_int_handler or not main:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
