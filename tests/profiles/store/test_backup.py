"""A backup is one whole state without what was erased; restoring one replaces all, or changes nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import StoreError
from app.profiles.profile import HistoryItem
from app.profiles.store import Contents, Store, backup, engine, index, legible
from app.profiles.store.database import Database
from app.profiles.store.engine import DATABASE
from app.profiles.store.migration import MIGRATIONS
from app.profiles.terms import terms
from profiles.store.people import ISABEL, WALTER

ROOT = Path(__file__).parents[3]
CONFIG = Config()
CONFIG.set_main_option("script_location", str(MIGRATIONS))


def backed_up(store: Store, tmp_path: Path, name: str = "backup.db") -> Path:
    file = tmp_path / name
    store.backup(file, lambda _: None)
    return file


def restore(store: Store, file: Path) -> Path:
    with store.read_backup(file, lambda _: None) as copy:
        return store.restore(copy)


def state(store: Store) -> object:
    """All that the store holds, as other processes see it, but for uids."""
    documents = [store.profiles.export(one.profile.id) for one in store.profiles.list()]
    return [replace(one, profile=replace(one.profile, uid="")) for one in documents], store.keys.list()


@pytest.fixture
def people(store: Store) -> Store:
    store.profiles.put(ISABEL)
    store.profiles.put(WALTER)
    store.keys.create("mail", "isabel")
    store.keys.create("", None)
    return store


def test_what_is_backed_up_is_restored_whole(people: Store, tmp_path: Path) -> None:
    before = state(people)
    file = backed_up(people, tmp_path)
    assert Contents.of(file) == Contents(profiles=2, items=2, keys=2, guarded=True)
    people.profiles.delete("isabel")
    people.profiles.update("walter", lambda one: replace(one, name="W."))
    people.profiles.put(replace(ISABEL, profile=replace(ISABEL.profile, id="zoe")))
    restore(people, file)
    assert state(people) == before
    (hit,) = people.history.search("isabel", [(1.0, terms("dog"))], 5)
    assert hit.stored.item.text == "about the dog"
    with closing(sqlite3.connect(people.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_is_a_single_file_and_restores_on_another_machine(people: Store, tmp_path: Path) -> None:
    file = backed_up(people, tmp_path)
    file.chmod(0o400)
    with Store.open(tmp_path / "other") as other:
        restore(other, file)
        assert state(other) == state(people)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup.db", "data", "other"]


def test_nothing_that_was_erased_is_in_a_backup(people: Store, tmp_path: Path) -> None:
    items = [HistoryItem("", f"erasable {number} " + "x" * 500) for number in range(200)]
    people.history.add("walter", items)
    people.history.clear("walter")
    assert b"erasable" not in backed_up(people, tmp_path).read_bytes()


def test_a_backup_is_one_state_while_others_write(people: Store, tmp_path: Path) -> None:
    """Each transaction adds two items: no backup has an odd number."""
    stop = threading.Event()

    def write() -> None:
        with Store.open(people.path.parent) as other:
            while not stop.is_set():
                other.history.add("walter", [HistoryItem("", "one"), HistoryItem("", "two")])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = [Contents.of(backed_up(people, tmp_path, f"{number}.db")).items for number in range(5)]
    finally:
        stop.set()
        writer.join()
    assert all(items % 2 == 0 for items in found)


def test_a_server_that_runs_sees_the_restored_state_at_once(people: Store, tmp_path: Path) -> None:
    file = backed_up(people, tmp_path)
    with Store.open(people.path.parent) as server:
        server.profiles.delete("walter")
        version = server.version()
        restore(people, file)
        assert server.version() != version
        assert [one.profile.id for one in server.profiles.list()] == ["isabel", "walter"]
        server.history.add("walter", [HistoryItem("", "after")])
        assert server.keys.required()


def test_the_state_before_is_kept_until_something_is_erased(people: Store, tmp_path: Path) -> None:
    file = backed_up(people, tmp_path)
    people.profiles.update("walter", lambda one: replace(one, name="W."))
    before = state(people)
    kept = restore(people, file)
    assert kept.stat().st_mode & 0o777 == 0o600
    with Store.open(tmp_path / "other") as other:
        restore(other, kept)
        assert state(other) == before
    people.profiles.update("walter", lambda one: replace(one, name="V."))
    assert not kept.exists()


CHANGES = st.lists(st.sampled_from(["name", "erase", "back up", "restore"]), max_size=8)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
def test_no_two_contents_ever_share_an_owner_of_caches(
    tmp_path_factory: pytest.TempPathFactory, changes: list[str]
) -> None:
    """A version counts on from where an older state left it, over other content: under the same uid, KV
    caches of one would be those of the other."""
    folder = tmp_path_factory.mktemp("law")
    seen: dict[tuple[str, int], object] = {}
    with Store.open(folder / "data") as store:
        store.profiles.put(ISABEL)
        file = backed_up(store, folder)
        for number, change in enumerate([*changes, "restore", "name"]):
            match change:
                case "name":
                    store.profiles.update("isabel", partial(replace, name=f"Name {number}"))
                case "erase":
                    (stored,) = store.history.add("isabel", [HistoryItem("", f"text {number}")])
                    store.history.delete("isabel", [stored.id])
                case "back up":
                    file.unlink()
                    store.backup(file, lambda _: None)
                case "restore":
                    restore(store, file)
            document = store.profiles.export("isabel")
            owner = document.profile.uid, document.profile.version
            content = document.profile.name, document.history
            assert seen.setdefault(owner, content) == content


def test_ids_that_were_given_are_not_given_again(people: Store, tmp_path: Path) -> None:
    file = backed_up(people, tmp_path)
    (later,) = people.history.add("walter", [HistoryItem("", "later")])
    key, _ = people.keys.create("later", "walter")
    restore(people, file)
    (item,) = people.history.add("walter", [HistoryItem("", "another")])
    again, _ = people.keys.create("another", "walter")
    assert item.id > later.id
    assert again.id > key.id
    # And the other way round: the backup has given more ids than this database.
    with Store.open(tmp_path / "other") as other:
        restore(other, backed_up(people, tmp_path, "second.db"))
        assert other.history.add("walter", [HistoryItem("", "x")])[0].id > item.id


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("place", ["insert", "index", "copy"])
def test_what_breaks_off_leaves_the_old_state_whole(
    people: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException | type[BaseException],
    place: str,
) -> None:
    file = backed_up(people, tmp_path)
    people.profiles.delete("isabel")
    before = state(people)

    def fail(*_: object) -> None:
        raise error

    target = {"insert": "_count_on", "index": "index.rebuild", "copy": "copy_to"}[place]
    with monkeypatch.context() as patch:
        patch.setattr(f"{backup.__name__}.{target}", fail)
        with pytest.raises((KeyboardInterrupt, StoreError)):
            restore(people, file)
    assert state(people) == before
    assert {one.name for one in people.path.parent.iterdir()} <= {
        DATABASE,
        f"{DATABASE}.lock",
        f"{DATABASE}-wal",
        f"{DATABASE}-shm",
    }
    restore(people, file)
    assert [one.profile.id for one in people.profiles.list()] == ["isabel", "walter"]


def test_a_ctrl_c_as_the_transaction_ends_leaves_the_state_before_beside_the_restored_one(
    people: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backed_up(people, tmp_path)
    people.profiles.delete("isabel")
    folder = people.path.parent

    def interrupted(_: object) -> None:
        if list(folder.glob("*.backup")):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_wipe_late", interrupted)
        with pytest.raises(KeyboardInterrupt):
            restore(people, file)
    assert [one.profile.id for one in people.profiles.list()] == ["isabel", "walter"]
    (kept,) = folder.glob("*.backup")
    restore(people, kept)
    assert [one.profile.id for one in people.profiles.list()] == ["walter"]


KILLED = """
import sys, time
from pathlib import Path
from app.profiles.store import Store, backup

def wait(*_):
    print("in the middle", flush=True)
    time.sleep(600)

backup.index.rebuild = wait
with Store.open(Path(sys.argv[1])) as store:
    with store.read_backup(Path(sys.argv[2]), lambda _: None) as copy:
        store.restore(copy)
"""


def test_a_restore_that_is_killed_leaves_the_old_state_and_no_copies(people: Store, tmp_path: Path) -> None:
    file = backed_up(people, tmp_path)
    people.profiles.delete("isabel")
    before = state(people)
    folder = people.path.parent
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(file)], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(folder.glob("*.partial"))
        process.kill()
    with Store.open(folder) as store:
        assert state(store) == before
    assert not list(folder.glob("*.partial"))


def test_what_a_killed_process_left_is_cleaned_away(people: Store) -> None:
    left = people.path.with_name(f"{DATABASE}.restore.partial")
    left.mkdir()
    (left / DATABASE).write_text("private")
    Store.open(people.path.parent).close()
    assert not left.exists()


def test_ctrl_c_ends_a_copy(people: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backup, "STEPS", 1)
    (tmp_path / "partial").touch()
    with pytest.raises(KeyboardInterrupt):
        people.backup(tmp_path / "partial", interrupted)


def test_a_backup_of_an_earlier_version_is_migrated(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with engine.open_engine(file, foreign_keys=False).begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, "0004")
        connection.exec_driver_sql(
            "INSERT INTO profile (id, name, fields, is_default, created_at, updated_at) VALUES"
            " ('isabel', 'Isabel', '{}', 0, '2026-01-02 03:04:05', '2026-01-02 03:04:05')"
        )
        connection.exec_driver_sql(
            "INSERT INTO history (profile_id, kind, title, text, source, created_at) VALUES"
            " ('isabel', 'document', '', 'about the dog', '', '2026-01-02 03:04:05')"
        )
    before = file.read_bytes()
    restore(store, file)
    assert store.profiles.get("isabel").name == "Isabel"
    assert len(store.history.search("isabel", [(1.0, terms("dog"))], 5)) == 1
    assert file.read_bytes() == before
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (index.VERSION,)


@pytest.fixture
def wrong(people: Store, tmp_path: Path) -> Iterator[Path]:
    """A backup, to be spoilt; what is stored must stay as it is."""
    before = state(people)
    yield backed_up(people, tmp_path)
    assert state(people) == before


def test_a_backup_of_a_newer_version_is_refused(people: Store, wrong: Path) -> None:
    with closing(sqlite3.connect(wrong)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"newer costeer \(its schema is '9999'\): upgrade costeer"):
        restore(people, wrong)


def test_another_program_s_database_is_refused(people: Store, wrong: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE a (b)")
    with pytest.raises(StoreError, match="another program's database"):
        restore(people, tmp_path / "other.db")


@pytest.mark.parametrize("data", [b"", b"SQLite", b"PK\3\4 a letter", b"x" * 10_000])
def test_what_is_no_database_is_refused(people: Store, wrong: Path, data: bytes) -> None:
    wrong.write_bytes(data)
    with pytest.raises(StoreError, match=r"backup\.db: it is no backup"):
        restore(people, wrong)


@pytest.mark.parametrize("spoil", ["cut", "scratched", "header"])
def test_a_damaged_backup_is_refused(people: Store, wrong: Path, spoil: str) -> None:
    data = bytearray(wrong.read_bytes())
    if spoil == "cut":
        del data[len(data) // 2 :]
    elif spoil == "scratched":
        data[4096 * 2 : 4096 * 6] = b"\xff" * (4096 * 4)
    else:
        del data[20:]
    wrong.write_bytes(data)
    with pytest.raises(StoreError, match=r"backup\.db: it is damaged"):
        restore(people, wrong)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE profile SET fields = 'Isabel'",
        "UPDATE profile SET fields = '[1]'",
        "UPDATE profile SET disclosure = '{\"fields\": 5}'",
        "UPDATE profile SET updated_at = 'yesterday'",
        "UPDATE profile SET name = x'49'",
        "UPDATE profile SET name = CAST(x'497361ff' AS TEXT)",
        "UPDATE history SET text = CAST(x'497361ff' AS TEXT)",
        "UPDATE history SET created_at = 'yesterday'",
        "UPDATE history SET id = 9223372036854775807 WHERE id = 1",
        "UPDATE api_key SET created_at = ''",
        "UPDATE profile SET id = 'a\"b' WHERE id = 'zoe'",
        "ALTER TABLE profile ADD COLUMN age TEXT",
        "DROP TABLE api_key",
        "INSERT INTO alembic_version VALUES ('0001')",
        "UPDATE alembic_version SET version_num = '0001'",
    ],
)
def test_what_this_program_could_not_read_is_refused_and_not_quoted(
    people: Store, wrong: Path, spoil: str
) -> None:
    with closing(sqlite3.connect(wrong)) as connection, connection:
        connection.execute(
            "INSERT INTO profile SELECT 'zoe', name, fields, 0, created_at, updated_at, strength,"
            " record_history, uid, version, preferences, disclosure FROM profile WHERE id = 'walter'"
        )
        connection.execute(spoil)
    with pytest.raises(StoreError) as caught:
        restore(people, wrong)
    assert str(caught.value) == f"{wrong}: it is damaged: take another backup"


def test_a_full_disk_is_not_said_to_be_a_damaged_backup(
    people: Store, wrong: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def fail(*_: object) -> None:
        raise full

    monkeypatch.setattr(legible, "_fits", fail)
    with pytest.raises(StoreError, match="the disk is full"):
        restore(people, wrong)


def test_history_without_a_profile_is_refused(people: Store, wrong: Path) -> None:
    with closing(sqlite3.connect(wrong)) as connection, connection:
        connection.execute("DELETE FROM profile")
    with pytest.raises(StoreError, match="it is damaged"):
        restore(people, wrong)
