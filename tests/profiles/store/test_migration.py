"""Migrations reach the tables' schema, in one transaction, with a copy of the old database beside it."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from app.errors import StoreError
from app.profiles.document import ItemIn
from app.profiles.origin import Origin, content_hash
from app.profiles.profile import HistoryItem, Preference, Profile
from app.profiles.store import Store, engine, index, migration
from app.profiles.store.engine import DATABASE
from app.profiles.store.migration import MIGRATIONS
from app.profiles.terms import terms
from profiles.store.people import ISABEL, WALTER

AddMigration = Callable[[str], None]

CONFIG = Config()
CONFIG.set_main_option("script_location", str(MIGRATIONS))
SCRIPT = ScriptDirectory.from_config(CONFIG)
HEAD = str(SCRIPT.get_current_head())
EARLIER = [one.revision for one in SCRIPT.walk_revisions() if one.revision != HEAD]


def test_the_newest_revision_is_alembic_s() -> None:
    assert migration.head() == HEAD


@pytest.fixture
def add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddMigration:
    """Makes the store use a copy of the migrations with one more, which does what is given."""

    def add(body: str) -> None:
        folder = tmp_path / "100% migrations"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        (folder / "versions" / "9999_next.py").write_text(
            f"import sqlalchemy as sa\nfrom alembic import op\nrevision = '9999'\ndown_revision = {HEAD!r}\n"
            f"def upgrade():\n    {body}\n"
        )
        monkeypatch.setattr(migration, "MIGRATIONS", folder)

    return add


def _query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def _found(store: Store, profile_id: str, words: str) -> list[str]:
    return [hit.stored.item.text for hit in store.history.search(profile_id, [(1.0, terms(words))], 5)]


def test_the_migrated_schema_is_the_tables_schema(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
    path, declared = tmp_path / DATABASE, tmp_path / "declared.db"
    SQLModel.metadata.create_all(create_engine(f"sqlite:///{declared}"))

    def no_index(_: object, name: str | None, *__: object) -> bool:
        return ":search" not in (name or "")

    with create_engine(f"sqlite:///{path}").connect() as connection:
        options = {"include_object": no_index, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, SQLModel.metadata) == []
    # What Alembic does not compare: the condition of an index, AUTOINCREMENT, ON DELETE.
    for sql in (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
        "SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table' "
        "AND name NOT LIKE '%:search%' AND name != 'alembic_version' ORDER BY name",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('profile') ORDER BY name",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('history') ORDER BY name",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('api_key') ORDER BY name",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('source_root') ORDER BY name",
        "SELECT * FROM pragma_foreign_key_list('history')",
        "SELECT * FROM pragma_foreign_key_list('source_root')",
        "SELECT * FROM pragma_foreign_key_list('api_key')",
    ):
        assert _query(path, sql) == _query(declared, sql) != []


@pytest.mark.parametrize("revision", EARLIER)
def test_a_database_of_every_earlier_revision_is_upgraded_with_its_data(
    tmp_path: Path, revision: str
) -> None:
    path = tmp_path / DATABASE
    with engine.open_engine(path, foreign_keys=False).begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, "0001")
        for number, name in enumerate(("zoe", "adam")):
            connection.execute(
                text(
                    "INSERT INTO profile VALUES (:id, 'Name of ' || :id, :fields, :first,"
                    " '2026-01-02 03:04:05.000006', '2026-02-03 04:05:06')"
                ),
                {"id": name, "fields": '{"b": "é", "a": "2"}', "first": number == 0},
            )
        # Interleaved, and the positions are not in the order of the ids.
        for position, name in ((2, "zoe"), (0, "adam"), (0, "zoe"), (1, "zoe"), (1, "adam")):
            connection.execute(
                text(
                    "INSERT INTO history (profile_id, position, title, text, created_at) VALUES"
                    " (:id, :position, 'title', :text, '2026-01-01 00:00:00.00000' || :position)"
                ),
                {"id": name, "position": position, "text": f"writing {position} of {name}"},
            )
        command.upgrade(CONFIG, revision)
    before = _query(path, "SELECT * FROM history")

    with Store.open(tmp_path) as store:
        for name, count in (("zoe", 3), ("adam", 2)):
            document = store.profiles.export(name)
            assert document.profile == Profile(
                name, f"Name of {name}", (("b", "é"), ("a", "2")), is_default=name == "zoe"
            )
            assert str(document.created_at) == "2026-01-02 03:04:05.000006+00:00"
            assert str(document.updated_at) == "2026-02-03 04:05:06+00:00"
            assert [(i.title, i.text, i.kind, i.source) for i in document.history] == [
                ("title", f"writing {position} of {name}", "document", "") for position in range(count)
            ]
            assert {i.disclosure for i in document.history} == {"open"}
            assert [i.created_at.microsecond for i in document.history if i.created_at] == list(range(count))
            assert _found(store, name, "1") == [f"writing 1 of {name}"]
        assert _query(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    (backup,) = tmp_path.glob("*.backup")
    assert backup.name == f"{DATABASE}.{revision}.backup"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert _query(backup, "SELECT version_num FROM alembic_version") == [(revision,)]
    assert _query(backup, "SELECT * FROM history") == before


TURN_TEXTS = {
    "User: Where is the bay?\n\nAssistant: In the\n\nwest.": ("Where is the bay?", "In the\n\nwest."),
    "User: \n\nAssistant: Hello.": ("", "Hello."),
    "User: a\n\nAssistant: b\n\nAssistant: c": ("a", "b\n\nAssistant: c"),
    "User: a\n\nAssistant: \u3000": ("", "User: a\n\nAssistant: \u3000"),
    f"User: {'x' * 100_001}\n\nAssistant: b": ("", f"User: {'x' * 100_001}\n\nAssistant: b"),
    "just a line": ("", "just a line"),
}


def test_turns_of_earlier_versions_are_taken_apart_and_found_by_their_question(
    tmp_path: Path,
) -> None:
    path = tmp_path / DATABASE
    written = [("turn", text) for text in TURN_TEXTS] * 400
    written.append(("document", "User: a\n\nAssistant: b"))
    with engine.open_engine(path, foreign_keys=False).begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, "0004")
        connection.exec_driver_sql(
            "INSERT INTO profile (id, name, fields, is_default, created_at, updated_at) VALUES"
            " ('isabel', 'Isabel', '{}', 0, '2026-01-02 03:04:05', '2026-01-02 03:04:05')"
        )
        connection.exec_driver_sql(
            "INSERT INTO history (profile_id, kind, title, text, source, created_at) VALUES"
            " ('isabel', ?, '', ?, 'chat', '2026-01-02 03:04:05')",
            written,
        )
        connection.exec_driver_sql("PRAGMA user_version = 2")
    with Store.open(tmp_path) as store:
        history = store.profiles.export("isabel").history
        assert [(item.request, item.text) for item in history] == [
            *[*TURN_TEXTS.values()] * 400,
            ("", "User: a\n\nAssistant: b"),
        ]
        assert set(_found(store, "isabel", "where is the bay")) == {"In the\n\nwest."}
        # An export of before is still the same profile.
        as_before = [ItemIn.model_validate({"kind": kind, "text": text}).item() for kind, text in written]
        assert [(item.request, item.text) for item in as_before] == [(i.request, i.text) for i in history]


def test_fields_that_hold_a_preference_become_one(tmp_path: Path) -> None:
    path, long = tmp_path / DATABASE, "x" * 1001
    fields = {
        "job": "Nurse",
        "preference": "Brief.",
        "_Preferences ": "In rhymes: é",
        "PREFERENCE": "Brief.",
        "preferences": long,
        "preferences for tea": "Green.",
    }
    with engine.open_engine(path, foreign_keys=False).begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, "0004")
        for number, (name, stored) in enumerate((("anna", fields), ("bert", {"job": "Pilot"}))):
            connection.execute(
                text(
                    "INSERT INTO profile (id, name, fields, is_default, created_at, updated_at,"
                    " record_history, strength, uid, version) VALUES (:id, 'N', :fields, :number,"
                    " '2026-01-02 03:04:05', '2026-02-03 04:05:06', 1, 'auto', 'u' || :id, 7)"
                ),
                {"id": name, "fields": json.dumps(stored), "number": number},
            )
    with Store.open(tmp_path) as store:
        anna, bert = store.profiles.get("anna"), store.profiles.get("bert")
        assert str(store.profiles.read("anna").updated_at) == "2026-02-03 04:05:06+00:00"
    assert anna == Profile(
        "anna",
        "N",
        (
            ("job", "Nurse"),
            ("PREFERENCE", "Brief."),
            ("preferences", long),
            ("preferences for tea", "Green."),
        ),
        strength="auto",
        record_history=True,
        preferences=(Preference("Brief."), Preference("In rhymes: é")),
    )
    assert (anna.uid, anna.version) == ("uanna", 8)
    assert (bert.fields, bert.preferences, bert.version) == ((("job", "Pilot"),), (), 7)
    (backup,) = tmp_path.glob("*.backup")
    assert _query(backup, "SELECT fields FROM profile WHERE id = 'anna'") == [(json.dumps(fields),)]


def test_items_of_before_are_known_by_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    items = [
        HistoryItem("", "é\n" * 50_000),
        HistoryItem("Title", "text", "turn", "chat", request='"Why?"'),
        *(HistoryItem("", f"text {number}") for number in range(2500)),
    ]
    with engine.open_engine(path, foreign_keys=False).begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, "0007")
        connection.exec_driver_sql(
            "INSERT INTO profile (id, name, fields, is_default, created_at, updated_at, record_history, uid,"
            " version) VALUES ('isabel', 'I', '{}', 0, '2026-01-02 03:04:05', '2026-01-02 03:04:05', 0,"
            " 'u', 0)"
        )
        connection.exec_driver_sql(
            "INSERT INTO history (profile_id, kind, title, request, text, source, created_at) VALUES"
            " ('isabel', ?, ?, ?, ?, '', '2026-01-02 03:04:05')",
            [(one.kind, one.title, one.request, one.text) for one in items],
        )
    with Store.open(tmp_path) as store:
        known = store.sources.known("isabel")
        assert [(one.origin, one.hash) for one in known] == [(Origin(), content_hash(one)) for one in items]
        assert store.sources.roots("isabel") == []


def test_an_erasure_removes_the_copy_of_the_upgrade_too(tmp_path: Path, add_migration: AddMigration) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
    add_migration("op.add_column('profile', sa.Column('x', sa.Text()))")
    with Store.open(tmp_path) as store:
        assert len(list(tmp_path.glob("*.backup"))) == 1
        store.history.delete("isabel", [1])
        assert not list(tmp_path.glob("*.backup"))


def test_a_copy_that_was_cut_short_does_not_stay(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    for name in ("partial", "partial-journal"):
        (tmp_path / f"{DATABASE}.0001.{name}").write_text("half of somebody's writing")
    Store.open(tmp_path).close()
    assert not list(tmp_path.glob("*partial*"))


def test_history_ids_are_never_used_twice(store: Store) -> None:
    store.profiles.put(ISABEL)
    store.profiles.delete("isabel")
    store.profiles.put(ISABEL)
    assert [one.id for one in store.history.page("isabel", newest_first=False).items] == [3, 4]


def test_opening_again_changes_nothing_and_makes_no_copy(tmp_path: Path) -> None:
    for _ in range(2):
        Store.open(tmp_path).close()
    assert not list(tmp_path.glob("*.backup"))


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(
    tmp_path: Path, add_migration: AddMigration
) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
        store.keys.create("app", "isabel")
    add_migration(
        "with op.batch_alter_table('profile', recreate='always') as table:"
        " table.add_column(sa.Column('x', sa.Text()))"
    )
    with Store.open(tmp_path) as store:
        assert store.profiles.get("isabel") == ISABEL.profile
        assert _found(store, "isabel", "bay") == ["about the bay"]
        assert len(store.keys.list()) == 1


def test_a_failed_upgrade_changes_nothing(tmp_path: Path, add_migration: AddMigration) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
    add_migration("op.add_column('profile', sa.Column('x', sa.Text())); op.execute('DROP TABLE nowhere')")
    with pytest.raises(StoreError, match="nowhere"):
        Store.open(tmp_path)
    path = tmp_path / DATABASE
    assert ("x",) not in _query(path, "SELECT name FROM pragma_table_info('profile')")
    assert _query(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert _query(path, "SELECT text FROM history") == [("about the bay",), ("about the dog",)]


def test_an_upgrade_that_orphans_history_is_undone(tmp_path: Path, add_migration: AddMigration) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
    add_migration("op.execute('DELETE FROM profile')")
    with pytest.raises(StoreError, match="history without a profile"):
        Store.open(tmp_path)
    assert _query(tmp_path / DATABASE, "SELECT id FROM profile") == [("isabel",)]


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    path = tmp_path / DATABASE
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '8888'")
    with pytest.raises(StoreError, match=r"newer costeer .*'8888'.*upgrade costeer"):
        Store.open(tmp_path)
    assert _query(path, "SELECT version_num FROM alembic_version") == [("8888",)]


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER)")
    with pytest.raises(StoreError, match="another program"):
        Store.open(tmp_path)


def test_an_index_of_another_version_is_made_again(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.put(ISABEL)
        store.profiles.put(WALTER)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute(f"PRAGMA user_version = {index.VERSION + 1}")
        # One table has lost its words, and one is left over from a profile that is gone.
        name = '":isabel:search"'
        connection.execute(f"INSERT INTO {name}({name}) VALUES ('delete-all')")  # noqa: S608
        connection.execute('CREATE VIRTUAL TABLE ":gone:search" USING fts5(title, text, content="")')
        connection.commit()
    with Store.open(tmp_path) as store:
        assert _found(store, "isabel", "bay") == ["about the bay"]
        assert _found(store, "walter", "bay") == []
    tables = _query(tmp_path / DATABASE, "SELECT name FROM sqlite_master WHERE name LIKE '%:search'")
    assert {name for (name,) in tables} == {":isabel:search", ":walter:search"}


def test_migrating_leaves_logging_alone(tmp_path: Path) -> None:
    mine = logging.getLogger("tests.mine")
    before = (logging.root.level, list(logging.root.handlers), mine.disabled)
    Store.open(tmp_path).close()
    assert (logging.root.level, list(logging.root.handlers), mine.disabled) == before


def test_folder_and_files_are_private(store: Store) -> None:
    store.profiles.put(ISABEL)
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


def test_threads_open_one_new_database_at_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    def work(number: int) -> str:
        barrier.wait()
        with Store.open(tmp_path) as store:
            return store.profiles.put(replace(ISABEL, profile=replace(ISABEL.profile, id=f"p{number}")))

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


def test_a_folder_where_the_file_should_be_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir(mode=0o755)
    with pytest.raises(StoreError, match=r"costeer\.db: Is a directory"):
        Store.open(tmp_path)
    assert (tmp_path / DATABASE).stat().st_mode & 0o777 == 0o755


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)  # permissions would not stop the tests of a root user
    with pytest.raises(StoreError, match="Permission denied; set COSTEER_DATA_DIR"):
        Store.open(tmp_path)
