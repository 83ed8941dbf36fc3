"""Looks at the database without opening it for use: nothing is made, migrated or mended."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.profiles.store.engine import DATABASE, named_errors
from app.profiles.store.migration import MIGRATIONS

# How os.access asks for this process as it is, where the system can tell.
EFFECTIVE = os.access in os.supports_effective_ids
ADMIN_KEYS = "SELECT 1 FROM api_key WHERE profile_id IS NULL"
SECONDS = 5.0  # to wait for a lock


@dataclass(frozen=True)
class Condition:
    """How the database is found. `revision` is its schema's, None where there is no database yet, and `head`
    this version's; `size` is in bytes. `refused` is what this user may not write, and `exposed` what other
    users of this machine may read or write. `guarded` says that there is an admin key, and so every request
    needs one."""

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
    """How the database in `data_dir` is. Raises StoreError where it cannot be read at all."""
    path = data_dir / DATABASE
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
    """For reading only. Where no process has left a log, SQLite would make one even for that, unless it is
    told that the file does not change."""
    log = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=SECONDS)


def _refused(path: Path) -> Path | None:
    """What this user would have to write and may not: the file, its folder, or where that would be made."""
    if path.exists() and not _allowed(path, os.R_OK | os.W_OK):
        return path
    folder = next(one for one in path.absolute().parents if one.exists())
    return None if folder.is_dir() and _allowed(folder, os.W_OK | os.X_OK) else folder


def _allowed(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=EFFECTIVE)


def _exposed(path: Path) -> list[Path]:
    """Files that others may read or write, and the folder where they may put others in their place."""
    if os.name != "posix":
        return []
    found = [one for one in sorted(path.parent.glob(f"{DATABASE}*")) if one.stat().st_mode & 0o077]
    if path.parent.is_dir() and path.parent.stat().st_mode & 0o022:
        found.append(path.parent)
    return found
