"""The database as it may be found; whatever it is like, looking leaves its folder as it was."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from profiles.store.people import ISABEL

from app.doctor import database
from app.doctor.check import Finding, State
from app.profiles.store import Store
from app.profiles.store.engine import DATABASE
from doctor.verdicts import findings

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user whom permissions bind, where the tests are run by root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that every user can reach; that of pytest is root's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


def made(data: Path) -> Path:
    with Store.open(data) as store:
        store.profiles.put(ISABEL)
    return data / DATABASE


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {one.name: (one.stat().st_mode, one.read_bytes()) for one in folder.iterdir()}


def looked(data: Path) -> Finding:
    before = state_of(data) if data.is_dir() else None
    (finding,) = asyncio.run(findings(database.checks(data))).values()
    assert (state_of(data) if data.is_dir() else None) == before
    return finding


def test_none_yet_is_fine_and_stays_none(data: Path) -> None:
    finding = looked(data)
    assert finding.state is State.OK
    assert "the first start makes" in finding.seen
    assert not data.exists()


def test_one_that_is_well_is_told_with_its_schema(data: Path) -> None:
    made(data)
    finding = looked(data)
    assert finding.state is State.OK
    assert "is current" in finding.seen


def test_one_that_a_server_has_open_is_looked_at_as_well(data: Path) -> None:
    with Store.open(data) as store:
        store.profiles.put(ISABEL)
        (finding,) = asyncio.run(findings(database.checks(data))).values()
        assert finding.state is State.OK
        store.profiles.delete(ISABEL.profile.id)


def test_an_older_one_is_told_what_the_next_start_will_do(data: Path) -> None:
    with closing(sqlite3.connect(made(data))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
    finding = looked(data)
    assert finding.state is State.OK
    assert "the next start upgrades its schema from 0001" in finding.seen


def test_one_of_a_newer_costeer_asks_for_an_upgrade(data: Path) -> None:
    with closing(sqlite3.connect(made(data))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
        connection.commit()
    finding = looked(data)
    assert finding.state is State.FAILED
    assert "Upgrade costeer" in finding.mend


def test_one_of_another_program_is_left_to_it(data: Path) -> None:
    data.mkdir(mode=0o700)
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        connection.execute("CREATE TABLE song (title)")
    (data / DATABASE).chmod(0o600)
    finding = looked(data)
    assert finding.state is State.FAILED
    assert "COSTEER_DATA_DIR" in finding.mend


def test_a_file_that_is_no_database_fails(data: Path) -> None:
    data.mkdir(mode=0o700)
    (data / DATABASE).write_bytes(b"not a database " * 100)
    finding = looked(data)
    assert finding.state is State.FAILED
    assert "not a database" in finding.seen
    assert "ove it away" in finding.mend


def test_a_damaged_one_fails_and_names_the_backup(data: Path) -> None:
    path = made(data)
    whole = path.read_bytes()
    for at in range(4096, len(whole), 8192):  # every other page but the first
        whole = whole[:at] + b"\xa5" * 4096 + whole[at + 4096 :]
    path.write_bytes(whole)
    finding = looked(data)
    assert finding.state is State.FAILED
    assert "is damaged" in finding.seen
    assert "backup" in finding.mend


@pytest.mark.parametrize("what", ["file", "folder"])
def test_one_that_this_user_cannot_write_fails(data: Path, what: str) -> None:
    path = made(data)
    path.chmod(0o444 if what == "file" else 0o666)
    data.chmod(0o777 if what == "file" else 0o555)
    with without_privileges():
        (finding,) = asyncio.run(findings(database.checks(data))).values()
    assert finding.state is State.FAILED
    assert f"{path if what == 'file' else data} cannot be written by this user" in finding.seen
    assert "chown" in finding.mend
    data.chmod(0o700)


def test_a_folder_that_cannot_be_made_fails(data: Path) -> None:
    data.parent.chmod(0o755)
    file = data.parent / "file"
    file.write_text("x")
    finding = looked(file / "data")
    assert finding.state is State.FAILED
    assert "COSTEER_DATA_DIR" in finding.mend


def test_one_that_others_may_read_or_replace_is_a_warning_that_says_how_to_close_it(data: Path) -> None:
    path = made(data)
    path.chmod(0o644)
    finding = looked(data)
    assert finding.state is State.WARNING
    assert finding.mend == f"chmod go= '{path}'"
    path.chmod(0o600)
    data.chmod(0o722)
    assert str(data) in (looked(data)).mend
