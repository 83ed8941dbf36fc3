"""Batches of changes: all of them, in order, and none too large."""

from __future__ import annotations

from app.profiles.batches import BATCH, BATCH_CHARACTERS, batches
from app.profiles.origin import Add, Origin, Remove, Replace
from app.profiles.profile import HistoryItem


def test_batches_are_all_changes_in_order_and_none_too_large() -> None:
    for sizes in ([1] * 2500, [BATCH_CHARACTERS // 4] * 9, [BATCH_CHARACTERS] * 3, [1], []):
        items = [
            HistoryItem(str(number), "x" * size, request="x" * size) for number, size in enumerate(sizes)
        ]
        changes = [
            Add(item) if number % 2 else Replace(number, item, Origin()) for number, item in enumerate(items)
        ]
        parts = list(batches(changes))
        assert [change for part in parts for change in part] == changes
        for part in parts:
            assert 0 < len(part) <= BATCH
            lengths = [2 * len(one.item.text) for one in part if isinstance(one, Add | Replace)]
            assert len(part) == 1 or sum(lengths) <= BATCH_CHARACTERS
    assert [len(part) for part in batches(Remove(number) for number in range(2500))] == [1000, 1000, 500]
