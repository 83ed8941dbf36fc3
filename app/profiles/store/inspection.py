"""Inspects the database read-only: creates, migrates and repairs nothing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from app.profiles.store.engine import DATABASE, how_to_read, named_errors
from app.profiles.store.migration import MIGRATIONS

# Whether os.access can check with the effective user id.
EFFECTIVE = os.access in os.supports_effective_ids
ADMIN_KEYS = "SELECT 1 FROM api_key WHERE profile_id IS NULL"
SECONDS = 5.0  # the timeout for a lock


@dataclass(frozen=True)
class Condition:
    """The state of the database. `revision` is its schema's migration, None if there is no database yet;
    `head` is this version's. `size` is in bytes. `refused` is a path that this user may not write; `exposed`
    are those that other users of this machine may read or write. `guarded`: an admin key exists, so every
    request needs a key."""

    path: Path
    head: str
    refused: Path | None = None
    exposed: tuple[Path, ...] = ()
    size: int = 0
    revision: str | None = None
    foreign: bool = False
    newer: bool = False
    damaged: bool = False
    guarded: bool = False

    @property
    def writable(self) -> bool:
        return self.refused is None


def inspect(data_dir: Path) -> Condition:
    """The state of the database in `data_dir`. Raises StoreError if it cannot be read."""
    return inspect_file(data_dir / DATABASE)


def profile_ids(data_dir: Path) -> list[str]:
    """The ids of the profiles in the database in `data_dir`, sorted; none if there is none.

    Raises StoreError if it cannot be read.
    """
    path = data_dir / DATABASE
    with named_errors(path):
        if not path.is_file():
            return []
        with closing(_open(path)) as connection:
            return [name for (name,) in connection.execute("SELECT id FROM profile ORDER BY id")]


def inspect_file(path: Path) -> Condition:
    """The state of the database at `path`. Raises StoreError if it cannot be read."""
    from alembic.config import Config  # noqa: PLC0415  # completion needs none of it, and is to be quick
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    head = str(script.get_current_head())
    with named_errors(path):
        refused, exposed = _refused(path), tuple(_exposed(path))
        if refused is not None or not path.exists() or not path.stat().st_size:
            return Condition(path, head, refused, exposed)
        with closing(_open(path)) as connection:
            damaged = connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            revision = None
            if "alembic_version" in tables:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
                revision = str(row[0]) if row else None
            guarded = "api_key" in tables and bool(connection.execute(ADMIN_KEYS).fetchone())
        known = {one.revision for one in script.walk_revisions()}
        return Condition(
            path,
            head,
            exposed=exposed,
            size=path.stat().st_size,
            revision=revision,
            foreign=bool(tables) and revision is None,
            newer=revision is not None and revision not in known,
            damaged=damaged,
            guarded=guarded,
        )


def _open(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{urlencode(how_to_read(path))}"
    return sqlite3.connect(uri, uri=True, timeout=SECONDS)


def _refused(path: Path) -> Path | None:
    """The path that this user lacks permission for: the file, its folder, or that folder's nearest parent."""
    if path.exists() and not _allowed(path, os.R_OK | os.W_OK):
        return path
    folder = next(one for one in path.absolute().parents if one.exists())
    return None if folder.is_dir() and _allowed(folder, os.W_OK | os.X_OK) else folder


def _allowed(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=EFFECTIVE)


def _exposed(path: Path) -> list[Path]:
    """Files that other users may read or write, and the folder if they may replace files in it."""
    if os.name != "posix":
        return []
    found = [one for one in sorted(path.parent.glob(f"{DATABASE}*")) if one.stat().st_mode & 0o077]
    if path.parent.is_dir() and path.parent.stat().st_mode & 0o022:
        found.append(path.parent)
    return found
