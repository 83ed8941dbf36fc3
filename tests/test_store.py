"""The store keeps what it acknowledged, in order, privately, and from many threads and processes at once."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from app.database import DATABASE
from app.errors import ProfileNotFound, StoreError
from app.profile import HistoryItem, Profile
from app.store import Store
from app.tables import HistoryRow, ProfileRow

ISABEL = Profile(
    id="isabel",
    name="Isabel Martinez",
    fields=(("writing_style", "playful"), ("occupation", "agent")),
    history=(HistoryItem("Listing", "about the bay"), HistoryItem("", "about the dog")),
)
WALTER = Profile(id="walter", name="Walter Pryce", is_default=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def _files(store: Store) -> bytes:
    """All bytes in the store's folder."""
    return b"".join(path.read_bytes() for path in store.path.parent.iterdir())


def test_a_profile_comes_back_as_it_was_put(store: Store) -> None:
    assert store.put(ISABEL) == "created"
    assert store.profile("isabel") == ISABEL


def test_it_is_still_there_after_reopening(store: Store) -> None:
    store.put(ISABEL)
    store.close()
    with Store.open(store.path.parent) as again:
        assert again.profile("isabel") == ISABEL


def test_put_of_the_same_changes_nothing(store: Store) -> None:
    store.put(ISABEL)
    before = store.profiles()
    assert store.put(ISABEL) == "unchanged"
    assert store.profiles() == before


@pytest.mark.parametrize(
    "changed",
    [
        replace(ISABEL, name="Isa"),
        replace(ISABEL, fields=ISABEL.fields[::-1]),
        replace(ISABEL, fields=()),
        replace(ISABEL, is_default=True),
        replace(ISABEL, history=ISABEL.history[::-1]),
        replace(ISABEL, history=ISABEL.history[:1]),
    ],
)
def test_put_replaces_what_differs_and_keeps_when_it_was_created(store: Store, changed: Profile) -> None:
    store.put(ISABEL)
    (before,) = store.profiles()
    assert store.put(changed) == "replaced"
    (after,) = store.profiles()
    assert store.profile("isabel") == changed
    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at


def test_a_history_item_that_stays_keeps_its_time(store: Store) -> None:
    def times() -> dict[str, str]:
        with closing(sqlite3.connect(store.path)) as connection:
            return dict(connection.execute("SELECT text, created_at FROM history"))

    store.put(ISABEL)
    before = times()
    store.put(replace(ISABEL, history=(HistoryItem("", "new"), *ISABEL.history)))
    assert times().items() > before.items()


def test_profiles_lists_summaries_by_id_with_utc_times(store: Store) -> None:
    store.put(WALTER)
    store.put(ISABEL)
    first, second = store.profiles()
    assert (first.id, first.name, first.is_default, first.history_count) == ("isabel", ISABEL.name, False, 2)
    assert (second.id, second.is_default, second.history_count) == ("walter", True, 0)
    assert str(first.created_at.tzinfo) == "UTC"


def test_the_default_moves_to_the_one_put_last(store: Store) -> None:
    assert store.default_profile() is None
    store.put(WALTER)
    assert store.default_profile() == WALTER
    store.put(replace(ISABEL, is_default=True))
    assert [one.is_default for one in store.profiles()] == [True, False]
    store.put(ISABEL)
    assert store.default_profile() is None


def test_the_database_itself_refuses_two_defaults(store: Store) -> None:
    store.put(WALTER)
    store.put(ISABEL)
    with pytest.raises(IntegrityError), Session(store._writer) as session, session.begin():
        session.execute(text("UPDATE profile SET is_default = 1"))


def test_an_unknown_profile_is_named(store: Store) -> None:
    for method in (store.profile, store.delete):
        with pytest.raises(ProfileNotFound, match=r"'nobody'.*costeer profiles list"):
            method("nobody")


def test_delete_leaves_no_row_and_no_byte(store: Store) -> None:
    store.put(WALTER)
    store.put(ISABEL)
    assert b"about the bay" in _files(store)
    store.delete("isabel")
    assert [one.id for one in store.profiles()] == ["walter"]
    assert b"about the bay" not in _files(store)
    assert b"Isabel Martinez" not in _files(store)


def test_replacing_leaves_no_byte_of_what_went(store: Store) -> None:
    store.put(ISABEL)
    store.put(replace(ISABEL, history=()))
    assert b"about the bay" not in _files(store)


def test_a_put_that_fails_leaves_the_old_profile_whole(store: Store) -> None:
    store.put(ISABEL)
    bad = replace(ISABEL, name="other", history=(HistoryItem("t", "fine"), HistoryItem("t", None)))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="NOT NULL") as caught:
        store.put(bad)
    assert "fine" not in "".join(traceback.format_exception(caught.value))
    assert store.profile("isabel") == ISABEL


# Unicode without surrogates (SQLite stores UTF-8) and without NUL, which every border refuses.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
any_profile = st.builds(
    Profile,
    id=st.just("anyone"),
    name=words,
    fields=st.dictionaries(words, words, max_size=5).map(lambda fields: tuple(fields.items())),
    is_default=st.booleans(),
    history=st.lists(st.builds(HistoryItem, words, words), max_size=5).map(tuple),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(profile=any_profile)
def test_any_text_and_order_round_trips(store: Store, profile: Profile) -> None:
    store.put(profile)
    assert store.profile("anyone") == profile
    assert store.put(profile) == "unchanged"


def test_folder_and_files_are_private(store: Store) -> None:
    store.put(ISABEL)
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    assert {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_an_existing_database_becomes_private_but_a_folder_in_use_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "something").touch()
    (tmp_path / DATABASE).touch(mode=0o644)
    Store.open(tmp_path).close()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / DATABASE).stat().st_mode & 0o777 == 0o600


def test_every_connection_is_durable_and_wipes(store: Store) -> None:
    expected = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "secure_delete": 1,
        "synchronous": 2,
        "busy_timeout": 30_000,
    }
    with store._reader.connect() as one, store._writer.connect() as two, store._reader.connect() as three:
        for connection in (one, two, three):
            found = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in expected}
            assert found == expected


def test_threads_read_and_write_at_once(store: Store) -> None:
    store.put(ISABEL)

    def work(number: int) -> None:
        mine = replace(ISABEL, id=f"p{number % 4}", name=str(number), is_default=number % 3 == 0)
        store.put(mine)
        # A reader never sees half of a put.
        assert len(store.profile(mine.id).history) == 2
        assert sum(one.is_default for one in store.profiles()) <= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(80)))
    assert len(store.profiles()) == 5


WRITER = """
import sys
from pathlib import Path
from app.profile import HistoryItem, Profile
from app.store import Store

with Store.open(Path(sys.argv[1])) as store:
    for number in range(40):
        history = (HistoryItem("", f"item {number}"),)
        store.put(Profile(f"{sys.argv[2]}-{number % 5}", str(number), is_default=True, history=history))
        assert len(store.profiles()) >= 1
"""


def test_processes_start_and_write_at_once(tmp_path: Path) -> None:
    # The database does not exist yet, so all three race to create and migrate it as well.
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    running = [
        subprocess.Popen([*command, name], stderr=subprocess.PIPE, cwd=Path(__file__).parent.parent)
        for name in ("a", "b", "c")
    ]
    errors = [process.communicate(timeout=60)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    with Store.open(tmp_path) as store:
        assert len(store.profiles()) == 15
        assert sum(one.is_default for one in store.profiles()) == 1


def test_threads_open_one_new_database_at_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    def work(number: int) -> str:
        barrier.wait()
        with Store.open(tmp_path) as store:
            return store.put(replace(ISABEL, id=f"p{number}"))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == ["created"] * 4


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"my tax return, in plain text" * 100)
    with pytest.raises(StoreError, match="not a database; move it away"):
        Store.open(tmp_path)
    assert (tmp_path / DATABASE).read_bytes().startswith(b"my tax return")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreError, match="set COSTEER_DATA_DIR"):
        Store.open(tmp_path / "data")
    with pytest.raises(StoreError, match="set COSTEER_DATA_DIR"):
        Store.open(tmp_path / "data" / "deeper")


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir()
    with pytest.raises(StoreError, match=r"costeer\.db: Is a directory"):
        Store.open(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)  # permissions would not stop the tests of a root user
    with pytest.raises(StoreError, match="Permission denied; set COSTEER_DATA_DIR"):
        Store.open(tmp_path)


def test_nothing_private_is_printed_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")
    with Store.open(tmp_path) as store:
        store.put(ISABEL)
        shown = [repr(store.profile("isabel")), str(store.profiles()), repr(ISABEL.history)]
        with store._reading() as session:
            rows = [*session.exec(select(ProfileRow)), *session.exec(select(HistoryRow))]
            shown += [caplog.text, repr(rows), *map(str, rows)]
    for private in ("Martinez", "playful", "Listing", "about the"):
        assert not [text for text in shown if private in text]
    assert repr(ISABEL) == "Profile(id='isabel', 2 fields, 2 history items)"


def test_a_profile_with_one_field_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="once only"):
        Profile("a", "A", fields=(("x", "1"), ("x", "2")))
