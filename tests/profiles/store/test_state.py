"""The file that workers share is taken away, damaged and locked while they run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path

import pytest

from app.decoding.conversations import Conversations
from app.errors import StoreError
from app.profiles.store import state as module
from app.profiles.store.engine import BUSY_TIMEOUT
from app.profiles.store.shelves import StoredShelves
from app.profiles.store.state import STATE, State
from app.prompts.message import Message

ASKED = (Message("user", "Hi"),)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[StoredShelves]]:
    """The shelves of three workers, in which something is kept already."""
    with ExitStack() as stack:
        opened = [StoredShelves(stack.enter_context(closing(State.open(tmp_path)))) for _ in range(3)]
        for number in range(200):
            opened[number % 3].replies.keep(str(number).encode(), b"x" * 100, "anna", [f"name {number}"])
        assert [one.replies.get(b"7") for one in opened] == [b"x" * 100] * 3
        yield opened


def delete(path: Path) -> None:
    for one in path.parent.glob(f"{STATE}*[!k]"):
        one.unlink()


def delete_alone(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"no database" * 1000)
    other.replace(path)


def overwrite(path: Path) -> None:
    """As a disk does that fails: file and log, where they lie."""
    for one in (path, path.with_name(f"{STATE}-wal")):
        with one.open("r+b") as file:
            file.write(os.urandom(one.stat().st_size))


def forget_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE name")
        connection.execute("DROP TABLE kept")


@pytest.mark.parametrize("harm", [delete, delete_alone, replace, overwrite, forget_tables])
def test_what_is_taken_away_or_damaged_is_begun_anew_by_all(
    workers: list[StoredShelves], tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    harm(tmp_path / STATE)

    def used(shelves: StoredShelves, number: int) -> bool:
        """One of them may have to tell that it was damaged, with each of its two connections."""
        try:
            shelves.spent.add(b"a", 1.0, "anna")
            shelves.responses.keep(b"%d" % number, b"1", "anna", [f"msg {number}"])
            return shelves.responses.key_of(f"msg {number}") is not None
        except StoreError as error:
            assert "damaged" in str(error) and error.status == 503
            return False

    for _ in range(6):
        done = [used(shelves, number) for number, shelves in enumerate(workers)]
    assert all(done)
    assert {one.responses.get(b"%d" % number) for one in workers for number in range(3)} == {b"1"}
    before = workers[0].spent.total([b"a"])
    for shelves in workers:
        shelves.spent.add(b"a", 1.0, "anna")
    assert {one.spent.total([b"a"]) for one in workers} == {before + 3.0}, "all have the same file"
    assert (tmp_path / STATE).stat().st_mode & 0o777 == 0o600


def test_one_worker_s_harm_costs_another_nothing_that_is_kept_since(
    workers: list[StoredShelves], tmp_path: Path
) -> None:
    overwrite(tmp_path / STATE)
    with pytest.raises(StoreError, match="damaged"):
        workers[0].spent.add(b"a", 1.0, "anna")
    workers[0].spent.add(b"a", 1.0, "anna")
    for shelves in workers:
        assert shelves.spent.total([b"a"]) == 1.0
        shelves.spent.add(b"b", 1.0, "anna")
    assert workers[0].spent.total([b"a", b"b"]) == 4.0


def test_what_cannot_be_written_is_refused_soon_and_an_erasure_waits_longer(
    workers: list[StoredShelves], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    using = module._Side.using

    def impatient(side: module._Side, patience: float = 0.0) -> AbstractContextManager[sqlite3.Connection]:
        waited.extend([patience] if patience else [])
        return using(side, 0.0)

    monkeypatch.setattr(module._Side, "using", impatient)
    with closing(sqlite3.connect(tmp_path / STATE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        attempts: list[Callable[[], None]] = [
            lambda: workers[0].spent.add(b"a", 1.0, "anna"),
            lambda: workers[0].sessions.keep_common(b"a", b"1", "anna"),
            lambda: workers[0].responses.drop(b"a"),
        ]
        for attempt in attempts:
            with pytest.raises(StoreError, match="locked") as caught:
                attempt()
            assert caught.value.status == 503
        assert workers[0].replies.get(b"7") == b"x" * 100, "readers wait for nobody"
    workers[0].spent.add(b"a", 1.0, "anna")
    workers[0].spent.add(b"a", 1.0, "anna")
    # Whoever has waited in vain does not wait as long again: a reply writes several times.
    soon, later = module.IMPATIENCE, module.PATIENCE
    assert waited == [later, soon, BUSY_TIMEOUT, soon, later]
    assert soon < later < BUSY_TIMEOUT


def test_what_a_reply_has_told_counts_where_the_file_does_not_take_it(
    workers: list[StoredShelves], tmp_path: Path
) -> None:
    here, there = Conversations(workers[0]), Conversations(workers[1])
    here.spend("anna", ASKED, 1.0)
    with closing(sqlite3.connect(tmp_path / STATE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        here.spend("anna", ASKED, 2.0)
        assert (here.nats("anna", ASKED), there.nats("anna", ASKED)) == (3.0, 1.0)
    there.spend("anna", ASKED, 4.0)
    assert (here.nats("anna", ASKED), there.nats("anna", ASKED)) == (7.0, 5.0)
    assert here.nats("ben", ASKED) == 0.0
