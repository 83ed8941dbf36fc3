"""What is kept of conversations, in one process and in a file that several share: the same laws for both."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app.decoding.conversations import Conversations
from app.profiles.profile import Profile, ProfileDocument
from app.profiles.shelf import Bounds, Counts, MemoryCounts, MemoryShelf, MemoryShelves, Shelf, Shelves
from app.profiles.store import Store
from app.profiles.store import shelves as stored
from app.profiles.store.shelves import StoredCounts, StoredShelf, StoredShelves
from app.profiles.store.state import KEPT_SECONDS, STATE, State, remove
from app.prompts.message import Message

ASKED = (Message("user", "Hi"),)


class Clock:
    """Seconds that pass with each look, or as they are set."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(tmp_path: Path, clock: Clock) -> Iterator[State]:
    with closing(State.open(tmp_path, clock)) as state:
        yield state


@pytest.fixture
def other(tmp_path: Path, state: State, clock: Clock) -> Iterator[State]:
    """The same file, as another worker has it."""
    with closing(State.open(tmp_path, clock)) as opened:
        yield opened


@pytest.fixture(params=["memory", "file"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shelf_of(kind: str, state: State, most: int = 3, most_bytes: int | None = None) -> Shelf:
    bounds = Bounds(most, most_bytes)
    return MemoryShelf(bounds) if kind == "memory" else StoredShelf(state, "tested", bounds)


def counts_of(kind: str, state: State) -> Counts:
    return MemoryCounts(Bounds(3)) if kind == "memory" else StoredCounts(state, "tested", Bounds(3))


def test_a_value_is_found_until_it_is_dropped(kind: str, state: State) -> None:
    shelf = shelf_of(kind, state)
    assert shelf.get(b"a") is None
    shelf.keep(b"a", b"1", "anna", ["one", "two"])
    assert (shelf.get(b"a"), shelf.key_of("one"), shelf.key_of("two")) == (b"1", b"a", b"a")
    shelf.keep(b"a", b"2", "anna", ["three"])
    assert (shelf.get(b"a"), shelf.key_of("one"), shelf.key_of("three")) == (b"2", None, b"a")
    shelf.drop(b"a")
    assert (shelf.get(b"a"), shelf.key_of("three")) == (None, None)
    shelf.drop(b"a")


def test_the_first_of_several_keys_counts(kind: str, state: State) -> None:
    shelf = shelf_of(kind, state)
    shelf.keep(b"a", b"1", "")
    shelf.keep(b"b", b"2", "")
    assert shelf.first([b"c", b"b", b"a"]) == b"2"
    assert shelf.first([b"c"]) is None


def test_values_that_differ_have_nothing_in_common(kind: str, state: State) -> None:
    shelf = shelf_of(kind, state)
    found = []
    for value in (b"1", b"1", b"2", b"1"):
        shelf.keep_common(b"a", value, "anna")
        found.append(shelf.get(b"a"))
    assert found == [b"1", b"1", b"", b""]


def test_what_was_used_least_lately_is_dropped_first(kind: str, state: State, clock: Clock) -> None:
    shelf = shelf_of(kind, state)
    for key in (b"a", b"b", b"c"):
        shelf.keep(key, b"x", "", [key.decode()])
        clock.now += 100
    assert shelf.use(b"a") == b"x"
    shelf.keep(b"d", b"x", "")
    assert [shelf.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert (shelf.key_of("a"), shelf.key_of("b")) == (b"a", None)


def test_bytes_are_bounded(kind: str, state: State) -> None:
    shelf = shelf_of(kind, state, most=50, most_bytes=1000)
    for number in range(30):
        shelf.keep(bytes([number]), b"x" * 300, "")
    assert [number for number in range(30) if shelf.get(bytes([number]))] == [27, 28, 29]
    shelf.keep(b"large", b"x" * 1001, "")
    assert shelf.get(b"large") is None
    assert shelf.get(bytes([29])) is not None


def test_amounts_add_up(kind: str, state: State) -> None:
    counts = counts_of(kind, state)
    counts.add(b"a", 1.5, "anna")
    counts.add(b"a", 0.25, "anna")
    counts.add(b"b", 2.0, "anna")
    assert counts.total([b"a", b"b", b"none"]) == 3.75
    assert counts.total([]) == 0.0
    assert counts.total([bytes([n // 256, n % 256]) for n in range(2000)] + [b"b"]) == 2.0


def test_what_is_of_others_is_dropped_and_what_is_nobody_s_stays(kind: str, state: State) -> None:
    shelves: Shelves = MemoryShelves() if kind == "memory" else StoredShelves(state)
    for owner in ("anna", "ben", ""):
        shelves.replies.keep(f"{owner}!".encode(), b"1", owner)
        shelves.responses.keep(owner.encode(), b"1", owner, [f"of {owner}"])
        shelves.spent.add(owner.encode(), 1.0, owner)
    assert shelves.owners() == {"anna", "ben"}
    shelves.keep_only(["ben", "else"])
    assert shelves.owners() == {"ben"}
    assert [shelves.responses.get(one) for one in (b"anna", b"ben", b"")] == [None, b"1", b"1"]
    assert shelves.responses.key_of("of anna") is None
    assert shelves.spent.total([b"anna", b"ben", b""]) == 2.0
    shelves.choices.keep(b"c", b"1", "ben")
    shelves.choices.keep_only(["anna"])
    assert (shelves.choices.get(b"c"), shelves.replies.get(b"ben!")) == (None, b"1")


def test_what_one_worker_keeps_the_other_has(state: State, other: State) -> None:
    here, there = StoredShelves(state), StoredShelves(other)
    here.responses.keep(b"resp_1", b"{}", "anna", ["msg_1"])
    assert (there.responses.use(b"resp_1"), there.responses.key_of("msg_1")) == (b"{}", b"resp_1")
    there.responses.drop(b"resp_1")
    assert here.responses.get(b"resp_1") is None
    first, second = Conversations(here), Conversations(there)
    first.spend("anna", ASKED, 3.0)
    second.spend("anna", ASKED, 1.5)
    assert first.nats("anna", ASKED) == second.nats("anna", ASKED) == 4.5
    session = first.session("anna", ASKED)
    first.in_session("anna", (*ASKED, Message("assistant", "Ho")), session)
    assert second.session("anna", (*ASKED, Message("assistant", "Ho"), *ASKED)) == session
    first.remember("anna", "Yours, Zoë \ud800", "Yours, [Your name]")
    assert second.as_told("anna", " Yours, Zoë \ud800\n") == " Yours, [Your name]\n"


def test_no_amount_is_lost_between_workers_that_add_at_once(state: State, other: State) -> None:
    counts = [StoredCounts(one, "tested", Bounds(100)) for one in (state, other)]
    go = threading.Barrier(8)

    def add(number: int) -> None:
        go.wait()
        for _ in range(25):
            counts[number % 2].add(b"a", 1.0, "anna")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert counts[0].total([b"a"]) == 200.0


def test_a_restart_loses_nothing_and_a_month_everything(tmp_path: Path, clock: Clock) -> None:
    with closing(State.open(tmp_path, clock)) as state:
        StoredShelves(state).responses.keep(b"a", b"1", "anna")
    clock.now += KEPT_SECONDS / 2
    with closing(State.open(tmp_path, clock)) as state:
        assert StoredShelves(state).responses.use(b"a") == b"1"
    clock.now += KEPT_SECONDS * 0.75
    with closing(State.open(tmp_path, clock)) as state:
        shelves = StoredShelves(state)
        assert shelves.responses.get(b"a") == b"1"
        clock.now += KEPT_SECONDS / 2
        shelves.responses.keep(b"b", b"1", "anna")
        assert shelves.responses.get(b"a") is None


def test_it_is_for_its_owner_only_and_no_part_of_the_database(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, closing(State.open(tmp_path)) as state:
        StoredShelves(state).replies.keep(b"a", b"a reply of somebody", "")
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in (STATE, f"{STATE}-wal")} == {0o600}
        version = store.version()
        StoredShelves(state).spent.add(b"a", 1.0, "")
        assert store.version() == version
        backup = tmp_path / "backup"
        store.backup(backup, lambda _: None)
    assert b"a reply of somebody" not in backup.read_bytes()


@pytest.mark.parametrize("how", ["deleted", "replaced", "restored"])
def test_with_a_profile_what_is_kept_of_it_is_erased_from_the_files(tmp_path: Path, how: str) -> None:
    """By whoever erases it, such as the command line while no server runs."""
    document = ProfileDocument(Profile("anna", "Anna"))
    with Store.open(tmp_path) as store, closing(State.open(tmp_path)) as state:
        store.profiles.put(document)
        store.profiles.put(ProfileDocument(Profile("ben", "Ben")))
        store.backup(tmp_path / "backup", lambda _: None)
        uids = {one.profile.id: one.profile.uid for one in store.profiles.list()}
        shelves = StoredShelves(state)
        shelves.responses.keep(b"a", b"a secret of Anna's", uids["anna"], ["msg_a"])
        shelves.responses.keep(b"b", b"a secret of Ben's", uids["ben"])
        if how == "deleted":
            store.profiles.delete("anna")
        elif how == "replaced":
            store.profiles.put(ProfileDocument(Profile("anna", "Anna Maria")))
        else:
            with store.read_backup(tmp_path / "backup", lambda _: None) as copy:
                store.restore(copy)
        assert shelves.responses.get(b"a") is None
        assert (shelves.responses.get(b"b") is None) == (how == "restored")
        files = b"".join(one.read_bytes() for one in tmp_path.glob(f"{STATE}*"))
        assert b"secret of Anna" not in files
        assert (b"secret of Ben" in files) == (how != "restored")


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_a_file_that_cannot_be_read_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE).write_bytes(content)
    with closing(State.open(tmp_path)) as state:
        StoredShelves(state).replies.keep(b"a", b"1", "")
    with closing(sqlite3.connect(tmp_path / STATE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with closing(State.open(tmp_path)) as state:
        assert StoredShelves(state).replies.get(b"a") is None
    remove(tmp_path)
    assert not [*tmp_path.glob(f"{STATE}*[!k]")]


def test_a_writer_of_another_process_is_waited_for(state: State, other: State, clock: Clock) -> None:
    shelves, begun, done = StoredShelves(other), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        shelves.replies.keep(b"b", b"2", "")
        done.set()

    thread = threading.Thread(target=write)
    with state.writing() as connection:
        stored._put(connection, stored._Row("replies", b"a", "", b"1", 1, clock()))
        thread.start()
        begun.wait()
        assert not done.wait(0.1)
        assert shelves.replies.get(b"a") is None  # readers wait for nobody
    thread.join()
    assert shelves.replies.get(b"a") == b"1"
