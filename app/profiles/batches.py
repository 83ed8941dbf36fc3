"""Changes of a history in batches, each of a size that others can wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.profiles.origin import Add, Change, Replace
from app.profiles.profile import HistoryItem

# Limits of one transaction: items, and characters of requests and texts unless it has a single item.
BATCH = 1000
BATCH_CHARACTERS = 4_000_000


def characters(item: HistoryItem) -> int:
    """Those of an item that count."""
    return len(item.request) + len(item.text)


def batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Splits the changes, in order, into batches within the limits."""
    batch: list[Change] = []
    size = 0
    for one in changes:
        length = characters(one.item) if isinstance(one, Add | Replace) else 0
        size += length
        if batch and (len(batch) == BATCH or size > BATCH_CHARACTERS):
            yield batch
            batch, size = [], length
        batch.append(one)
    if batch:
        yield batch
