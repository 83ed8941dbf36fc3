"""Kills a process that writes to a store, at random moments, and looks for what is lost of what it wrote."""

from __future__ import annotations

import argparse
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.store import Store

ROOT = Path(__file__).resolve().parents[3]
PROFILE = "anyone"
# What the killed process runs: it prints the id of an item once the store has returned it.
WRITER = """
import sys
from pathlib import Path
from app.profiles.profile import HistoryItem
from app.profiles.store import Store

folder, first, writes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with Store.open(folder) as store:
    print("open", flush=True)
    for number in range(first, first + writes):
        (item,) = store.history.add("anyone", [HistoryItem("", f"acknowledged word{number}")])
        print(item.id, number, flush=True)
"""


@dataclass(frozen=True)
class Round:
    """What one kill left: items printed by the process, those of them lost, and those kept unprinted."""

    acknowledged: int
    lost: int
    unprinted: int
    intact: bool
    searchable: bool


def crash(folder: Path, writes: int, after: int, delay: float, first: int) -> tuple[dict[int, int], Round]:
    """Lets a process write, kills it `delay` seconds after its write number `after`, and opens the store.

    Returns the number of each acknowledged item by its id, and what was found.
    """
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(writes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after + 1)]
        time.sleep(delay)  # anywhere within a write, not only behind one
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    # A line that was cut short by the kill has no end, and was not printed.
    whole = [line.split() for line in lines[1:] if line.endswith("\n")]
    acknowledged = {int(item_id): int(number) for item_id, number in whole}
    return acknowledged, inspect(folder, acknowledged, first)


def inspect(folder: Path, acknowledged: dict[int, int], first: int) -> Round:
    """Opens the store as a start of the server does."""
    with Store.open(folder) as store:
        items = {
            one.id: one.item.text
            for one in store.history.page(PROFILE, limit=10**6, newest_first=False).items
            if int(one.item.text.rpartition("word")[2]) >= first
        }
        lost = [i for i, number in acknowledged.items() if items.get(i) != f"acknowledged word{number}"]
        sample = list(items.items())[:: max(1, len(items) // 20)] + list(items.items())[-1:]
        found = all(
            [hit.stored.id for hit in store.history.search(PROFILE, [(1.0, [text.split()[1]])], 5)]
            == [item_id]
            for item_id, text in sample
        )
    with closing(sqlite3.connect(folder / "costeer.db")) as connection:
        intact = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    unprinted = len(items.keys() - acknowledged.keys())
    return Round(len(acknowledged), len(lost), unprinted, intact, found)


def crash_rounds(folder: Path, rounds: int, writes: int, seed: int = 0) -> list[Round]:
    """Rounds on one store, each with a kill in the middle of `writes` writes."""
    random_moment = random.Random(seed)
    with Store.open(folder) as store:
        store.profiles.put(ProfileDocument(Profile(PROFILE, "A")))
    results: list[Round] = []
    everything: dict[int, int] = {}
    for number in range(rounds):
        after, delay = random_moment.randrange(writes), random_moment.uniform(0, 0.003)
        acknowledged, result = crash(folder, writes, after, delay, number * writes)
        everything |= acknowledged
        results.append(result)
    # Later rounds have taken nothing from earlier ones, and the store still takes writes.
    assert inspect(folder, everything, 0).lost == 0
    with Store.open(folder) as store:
        assert store.history.add(PROFILE, [HistoryItem("", "word0")])[0].id > max(everything, default=0)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--writes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = crash_rounds(Path(folder), options.rounds, options.writes, options.seed)
    print("round  acknowledged  lost  unprinted  intact  searchable")
    for number, one in enumerate(results):
        print(
            f"{number:5}  {one.acknowledged:12}  {one.lost:4}  {one.unprinted:9}  "
            f"{one.intact!s:6}  {one.searchable!s:10}"
        )
    print(f"  sum  {sum(r.acknowledged for r in results):12}  {sum(r.lost for r in results):4}")


if __name__ == "__main__":
    main()
