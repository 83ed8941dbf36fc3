"""Migrations reach the tables' schema, in one transaction, with a copy of the old database beside it."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import app.database
from app.database import DATABASE, MIGRATIONS
from app.errors import StoreError
from app.profile import HistoryItem, Profile
from app.store import Store

ISABEL = Profile("isabel", "Isabel", (("b", "1"), ("a", "2")), True, (HistoryItem("", "about the bay"),))

AddMigration = Callable[[str], None]


@pytest.fixture
def add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddMigration:
    """Makes the store use a copy of the migrations with one more, which does what is given."""

    def add(body: str) -> None:
        folder = tmp_path / "100% migrations"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        (folder / "versions" / "9999_next.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\nrevision = '9999'\ndown_revision = '0001'\n"
            f"def upgrade():\n    {body}\n"
        )
        monkeypatch.setattr(app.database, "MIGRATIONS", folder)

    return add


def _query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_migrated_schema_is_the_tables_schema(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    declared = tmp_path / "declared.db"
    SQLModel.metadata.create_all(create_engine(f"sqlite:///{declared}"))
    with create_engine(f"sqlite:///{tmp_path / DATABASE}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    # What Alembic does not compare: the condition of an index, AUTOINCREMENT, ON DELETE.
    for sql in (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version' ORDER BY name",
        "SELECT * FROM pragma_foreign_key_list('history')",
    ):
        assert _query(tmp_path / DATABASE, sql) == _query(declared, sql)


def test_history_ids_are_never_used_twice(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.put(ISABEL)
        store.delete("isabel")
        store.put(ISABEL)
    assert _query(tmp_path / DATABASE, "SELECT id FROM history") == [(2,)]


def test_opening_again_changes_nothing_and_makes_no_copy(tmp_path: Path) -> None:
    for _ in range(2):
        Store.open(tmp_path).close()
    assert not list(tmp_path.glob("*.backup"))


def test_an_upgrade_keeps_the_data_and_leaves_a_private_copy(
    tmp_path: Path, add_migration: AddMigration
) -> None:
    with Store.open(tmp_path) as store:
        store.put(ISABEL)
    # Rebuilding `profile` drops the old table, which must not cascade into `history`.
    add_migration(
        "with op.batch_alter_table('profile', recreate='always') as table:"
        " table.add_column(sa.Column('x', sa.Text()))"
    )
    with Store.open(tmp_path) as store:
        assert store.profile("isabel") == ISABEL
    (backup,) = tmp_path.glob("*.backup")
    assert backup.name == "costeer.db.0001.backup"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert _query(backup, "SELECT text FROM history") == [("about the bay",)]
    assert _query(backup, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert "x" not in str(_query(backup, "SELECT name FROM pragma_table_info('profile')"))


def test_a_failed_upgrade_changes_nothing(tmp_path: Path, add_migration: AddMigration) -> None:
    with Store.open(tmp_path) as store:
        store.put(ISABEL)
    add_migration("op.add_column('profile', sa.Column('x', sa.Text())); op.execute('DROP TABLE nowhere')")
    with pytest.raises(StoreError, match="nowhere"):
        Store.open(tmp_path)
    path = tmp_path / DATABASE
    assert ("x",) not in _query(path, "SELECT name FROM pragma_table_info('profile')")
    assert _query(path, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert _query(path, "SELECT text FROM history") == [("about the bay",)]


def test_an_upgrade_that_orphans_history_is_undone(tmp_path: Path, add_migration: AddMigration) -> None:
    with Store.open(tmp_path) as store:
        store.put(ISABEL)
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


def test_migrating_leaves_logging_alone(tmp_path: Path) -> None:
    mine = logging.getLogger("tests.mine")
    before = (logging.root.level, list(logging.root.handlers), mine.disabled)
    Store.open(tmp_path).close()
    assert (logging.root.level, list(logging.root.handlers), mine.disabled) == before
