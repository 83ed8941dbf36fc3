"""The check of the database, read-only: it is writable, private, intact, and of a known schema."""

from __future__ import annotations

from pathlib import Path

from app.doctor.check import Check, Verdict, failed, ok, warning
from app.errors import StoreError
from app.profiles.store.inspection import Condition, inspect
from app.threads import in_thread

OTHER = "set COSTEER_DATA_DIR to a folder of your own"


def checks(data_dir: Path) -> list[Check]:
    return [Check("database", lambda: in_thread(lambda: _verdict(data_dir)), seconds=120)]


def _verdict(data_dir: Path) -> Verdict:
    try:
        found = inspect(data_dir)
    except StoreError as error:
        seen, _, mend = str(error).partition("; ")
        return failed(f"{seen}.", f"{mend[:1].upper()}{mend[1:]}." if mend else "")
    return _usable(found) or _whole(found) or _private(found) or _described(found)


def _usable(found: Condition) -> Verdict | None:
    """A verdict if the database cannot be opened or written, else None."""
    if not found.writable:
        return failed(
            f"{found.refused} cannot be written by this user.",
            f"Give it to this user (chown -R $(id -u) {found.path.parent}), or {OTHER}.",
        )
    if found.foreign:
        return failed(f"{found.path} belongs to another program.", f"Move it away, or {OTHER}.")
    if found.newer:
        return failed(
            f"{found.path} was written by a newer costeer (schema {found.revision}).",
            f"Upgrade costeer, or {OTHER}.",
        )
    return None


def _whole(found: Condition) -> Verdict | None:
    if found.damaged:
        return failed(
            f"{found.path} is damaged: SQLite's quick_check finds errors.",
            "Put a backup in its place, or move it away to start anew.",
        )
    return None


def _private(found: Condition) -> Verdict | None:
    if not found.exposed:
        return None
    names = ", ".join(str(path) for path in found.exposed)
    files = " ".join(f"'{path}'" for path in found.exposed)
    return warning(f"Other users of this machine can get at {names}.", f"chmod go= {files}")


def _described(found: Condition) -> Verdict:
    if found.revision is None:
        return ok(f"None yet; the first start makes {found.path}")
    size = f"{found.path}, {found.size / 1e6:.1f} MB, whole"
    if found.revision != found.head:
        return ok(
            f"{size}; the next start upgrades its schema from {found.revision} to {found.head} and leaves a "
            "copy beside it"
        )
    return ok(f"{size}, schema {found.revision} is current")
