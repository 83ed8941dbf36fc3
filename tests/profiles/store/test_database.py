"""Transactions: every connection is durable and wipes, and what is erased is in no file any more."""

from __future__ import annotations

import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.errors import StoreError
from app.profiles import store as store_package
from app.profiles.profile import HistoryItem
from app.profiles.store import Store, database, engine, index
from app.profiles.store.database import Database
from app.profiles.store.engine import DATABASE
from app.profiles.store.tables import ApiKeyRow, HistoryRow, ProfileRow
from app.profiles.terms import terms
from profiles.store.people import ISABEL

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "data").mkdir(mode=0o700)
    opened = Database.open(tmp_path / "data")
    yield opened
    opened.close()


def test_every_connection_is_durable_and_wipes(files: Database) -> None:
    expected = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "secure_delete": 1,
        "synchronous": 2,
        "busy_timeout": 30_000,
        "journal_size_limit": 0,
        "temp_store": 2,
    }

    def found() -> list[dict[str, object]]:
        with files.reading() as one, files.writing() as two, files.reading() as three:
            return [
                {name: session.connection().execute(text(f"PRAGMA {name}")).scalar() for name in expected}
                for session in (one, two, three)
            ]

    assert found() == [expected] * 3
    files.wipe()
    assert found() == [expected] * 3


def test_an_erasure_behind_a_reader_is_acknowledged_and_made_up_for(
    files: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WIPE_TIMEOUT", 0.05)
    store, log = Store(files), files.path.with_name(f"{DATABASE}-wal")
    store.profiles.put(ISABEL)
    with files.reading() as session:
        assert len(session.exec(select(HistoryRow)).all()) == 2
        store.history.delete("isabel", [1])
        # The reader still sees what it saw, and nobody else does.
        assert len(session.exec(select(HistoryRow.id)).all()) == 2
        assert [one.id for one in store.history.page("isabel").items] == [2]
        assert b"about the bay" in log.read_bytes()
    assert log.read_bytes() == b""
    assert b"about the bay" not in files.path.read_bytes()


def test_an_erasure_behind_another_program_s_reader_is_made_up_for_later(
    files: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WIPE_TIMEOUT", 0.05)
    store, log = Store(files), files.path.with_name(f"{DATABASE}-wal")
    store.profiles.put(ISABEL)
    with closing(sqlite3.connect(files.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM history").fetchall()
        store.history.delete("isabel", [1])
        store.history.add("isabel", [HistoryItem("", "about the sea")])
        assert b"about the bay" in log.read_bytes()
        other.execute("COMMIT")
        store.profiles.list()
        assert log.read_bytes() == b""


KILLED = """
import os, signal, sys
from pathlib import Path
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.store import database, Store
from app.profiles.store.profiles import _put

with Store.open(Path(sys.argv[1])) as store, store._database.writing() as session:
    # More than SQLite holds in memory, so that the log has some of it already.
    items = [HistoryItem("", f"a secret {number} " + "word " * 2000) for number in range(600)]
    _put(session, ProfileDocument(Profile("killed", "A"), tuple(items)), None)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_opening_takes_out_what_a_killed_import_has_left(tmp_path: Path) -> None:
    """Also where another process, a server for one, has the database open all the while."""
    with Store.open(tmp_path) as serving:
        serving.profiles.put(ISABEL)
        killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
        assert killed.returncode == -signal.SIGKILL
        log = tmp_path / f"{DATABASE}-wal"
        assert b"a secret" in log.read_bytes()
        with Store.open(tmp_path) as store:
            assert log.read_bytes() == b""
            assert [one.profile.id for one in store.profiles.list()] == ["isabel"]
    assert b"a secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_log_behind_a_reader_is_emptied_once_that_has_ended(tmp_path: Path) -> None:
    with Store.open(tmp_path) as serving:
        serving.profiles.put(ISABEL)
        log = tmp_path / f"{DATABASE}-wal"
        with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM history").fetchall()
            serving.history.add("isabel", [HistoryItem("", "about the sea")])
            with Store.open(tmp_path) as store:  # does not wait
                assert b"about the sea" in log.read_bytes()
                other.execute("COMMIT")
                store.profiles.list()
                assert log.read_bytes() == b""


def _large(store: Store) -> None:
    store.profiles.put(ISABEL)
    items = [HistoryItem("", f"{number} " + f"word{number % 97} " * 200) for number in range(3000)]
    store.history.add("isabel", items)


def test_the_file_is_small_again_after_a_large_erasure(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        before = store.path.stat().st_size
        _large(store)
        kept = store.history.add("isabel", [HistoryItem("", "about the sea")])
        assert store.path.stat().st_size > 3_000_000
        ids = [one.id for one in store.history.page("isabel", limit=5000).items]
        store.history.delete("isabel", [one for one in ids if one != kept[0].id])
        assert store.path.stat().st_size <= 2 * before
        assert [hit.stored.id for hit in store.history.search("isabel", [(1.0, ["sea"])], 5)] == [kept[0].id]
        store.history.add("isabel", [HistoryItem("", "another")])
        assert store.history.page("isabel").items[0].id == ids[0] + 1  # an id is used once, also now


def test_an_erasure_holds_where_the_file_cannot_be_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path) as store:
        _large(store)
        with monkeypatch.context() as patched:
            # As a full disk has it: the pages for a second copy cannot be had.
            patched.setattr(database, "SHRINK", "SELECT raise_full()")
            assert store.history.clear("isabel") == 3002
        assert store.path.stat().st_size > 3_000_000
        assert b"word42" not in store.path.read_bytes()
    with Store.open(tmp_path) as store:  # tried again
        assert store.path.stat().st_size < 1_000_000
        assert store.profiles.get("isabel") == ISABEL.profile


def test_a_copy_of_an_upgrade_is_gone_before_an_erasure_is_acknowledged(files: Database) -> None:
    backup = files.path.with_name(f"{DATABASE}.0001.backup")
    backup.touch()
    with files.erasing():
        pass
    assert not backup.exists()
    backup.mkdir()  # cannot be removed as a file is
    Store(files).profiles.put(ISABEL)
    with pytest.raises(StoreError):
        Store(files).history.clear("isabel")
    assert len(Store(files).history.page("isabel").items) == 2


def test_what_a_client_is_told_names_no_folder(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"my tax return, in plain text" * 100)
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert str(tmp_path) not in str(caught.value.body())
    assert "not a database" in caught.value.message


def test_readers_do_not_run_out_of_connections(files: Database) -> None:
    barrier = threading.Barrier(24)

    def work(_: int) -> int:
        with files.reading() as session:
            found = len(session.exec(select(ProfileRow)).all())
            barrier.wait(timeout=20)  # all hold one at the same time
            return found

    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(work, range(24))) == [0] * 24


def test_a_writer_with_patience_gives_up_and_the_next_one_waits_as_ever(files: Database) -> None:
    def write(patience: float | None) -> int:
        with files.writing(patience) as session:
            return int(session.connection().execute(text("PRAGMA busy_timeout")).scalar_one())

    assert write(3.0) in range(1, 3001)
    assert write(None) == engine.BUSY_TIMEOUT * 1000
    with files.writing(), pytest.raises(StoreError, match="locked") as within:
        write(0.0)
    with closing(sqlite3.connect(files.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked") as beside:
            write(0.0)
        other.execute("ROLLBACK")
    for refused in (within.value, beside.value):
        assert (refused.status, refused.reason) == (503, "another program keeps it locked")
    assert write(0.0) == 0


def test_a_look_at_the_database_notices_what_a_writer_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason() -> str:
        with pytest.raises(StoreError) as refused:
            store.check()
        assert str(tmp_path) not in refused.value.reason
        return refused.value.reason

    monkeypatch.setattr(store_package, "CHECK_PATIENCE", 0.05)
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
        store.check()
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert reason() == "another program keeps it locked"
            other.execute("ROLLBACK")
        store.check()
        with monkeypatch.context() as full:
            full.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
            assert reason() == "the disk is full"
        store.check()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as found:
        assert found.execute("PRAGMA user_version").fetchall() == [(index.VERSION,)], "the index is as it was"


@pytest.mark.parametrize("how", ["file", "folder", "replaced"])
def test_nothing_is_written_to_a_file_that_is_not_there_any_more(tmp_path: Path, how: str) -> None:
    """It would be told to be stored, and nobody would find it."""
    with Store.open(tmp_path / "data") as store:
        store.profiles.put(ISABEL)
        if how == "folder":
            shutil.move(tmp_path / "data", tmp_path / "away")
        else:
            store.path.rename(tmp_path / "away")
        if how == "replaced":
            Store.open(tmp_path / "data").close()
        for write in (store.check, lambda: store.profiles.delete(ISABEL.profile.id)):
            with pytest.raises(StoreError, match="moved away") as refused:
                write()
            assert refused.value.reason == "it was moved away"
            assert str(tmp_path) not in refused.value.message
        if how == "file":
            (tmp_path / "away").rename(store.path)
            store.profiles.delete(ISABEL.profile.id)


def test_nothing_is_made_in_place_of_what_is_away_and_once_it_is_back_all_read_it(tmp_path: Path) -> None:
    path, away = tmp_path / DATABASE, tmp_path / "away"
    Store.open(tmp_path).close()
    with closing(Database(path)) as readers, readers.reading() as first:
        first.exec(select(ProfileRow)).all()
        path.rename(away)
        # Another one needs a connection of its own, as long as the first has not ended.
        with pytest.raises(StoreError, match="moved away"), readers.reading() as second:
            second.exec(select(ProfileRow)).all()
        assert not path.exists()
        away.rename(path)
        with readers.reading() as second:
            assert second.exec(select(ProfileRow)).all() == []


def test_opening_a_second_time_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    """Closing any descriptor of a file drops a process's locks on it, and with them the log's protection."""
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
        inode = (tmp_path / DATABASE).stat().st_ino

        def locks() -> int:
            held = Path("/proc/locks")
            return held.read_text().count(f":{inode} ") if held.exists() else 1

        before = locks()
        Store.open(tmp_path).close()
        assert locks() == before > 0


def test_a_damaged_database_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
    path = tmp_path / DATABASE
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 40_000)
    with pytest.raises(StoreError, match="it is damaged; put a backup in its place"):
        Store.open(tmp_path)


def test_a_text_that_is_no_utf_8_is_not_quoted(files: Database) -> None:
    store = Store(files)
    store.profiles.put(ISABEL)
    with closing(sqlite3.connect(files.path)) as connection, connection:
        connection.execute("UPDATE history SET text = CAST(x'7072697661746520ff' AS TEXT)")
    with pytest.raises(StoreError, match="a text that is not UTF-8") as caught:
        store.profiles.export("isabel")
    assert "private" not in "".join(traceback.format_exception(caught.value))


def test_nothing_private_is_printed_or_logged(files: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")
    store = Store(files)
    store.profiles.put(ISABEL)
    key, secret = store.keys.create("my secret diary", "isabel")
    assert store.keys.identify(secret) is not None
    hits = store.history.search("isabel", [(1.0, terms("bay"))], 5)
    exported = store.profiles.export("isabel")
    shown = [repr(one) for one in (exported, exported.history, store.profiles.list(), hits, hits[0].stored)]
    shown += [repr(store.history.page("isabel")), repr(ISABEL), str(key), repr(store.keys.list())]
    with files.reading() as session:
        rows = [*session.exec(select(ProfileRow)), *session.exec(select(HistoryRow))]
        keys = list(session.exec(select(ApiKeyRow)))
        shown += [repr(rows), *map(str, rows), repr(keys), *map(str, keys)]
        hashes = [one.hash for one in keys]
    shown.append(caplog.text)
    for private in ("Martinez", "playful", "Listing", "about the", "bay", secret, *hashes):
        assert not [one for one in shown if private in one]
    assert repr(ISABEL.profile) == "Profile(id='isabel', 2 fields)"
