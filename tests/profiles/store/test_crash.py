"""A process that is killed while it writes loses nothing that it has acknowledged."""

from __future__ import annotations

from pathlib import Path

from profiles.store.crash_rounds import crash_rounds

# The full run: python tests/store/crash_rounds.py --rounds 20 --writes 1000
ROUNDS = 3
WRITES = 60


def test_what_was_acknowledged_survives_a_kill_and_the_store_opens_again(tmp_path: Path) -> None:
    results = crash_rounds(tmp_path, ROUNDS, WRITES, seed=1)
    assert [one.lost for one in results] == [0] * ROUNDS
    assert all(one.intact and one.searchable for one in results)
    # At most the one write that the kill came in between was stored without being printed.
    assert all(one.unprinted <= 1 for one in results)
    assert sum(one.acknowledged for one in results) > 0
