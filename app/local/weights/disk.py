"""Disk operations for weights: checks of free space, atomic file writes, checksums."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from app.errors import WeightsError
from app.local.weights.errors import ChecksumMismatch, NotEnoughSpace
from app.local.weights.sources import Progress

CHUNK = 1 << 20


def gigabytes(n: int) -> str:
    return f"{n / 1e9:.2f} GB" if n >= 1e8 else f"{n / 1e6:.1f} MB"


def size_of(path: Path) -> int:
    """Bytes of a file or of everything below a folder; 0 if the path does not exist. What another process
    removes meanwhile does not count."""
    if path.is_file():
        return path.stat().st_size
    files = (Path(place, name) for place, _, names in os.walk(path) for name in names)
    return sum(map(_bytes, files))


def _bytes(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 0


def require(folder: Path, needed: int) -> None:
    """Raises NotEnoughSpace unless the disk of `folder` (which need not exist) has `needed` bytes free."""
    if free(folder) < needed:
        raise _full(folder, needed)


def is_full(error: Exception) -> bool:
    """Whether the error says that the disk is full; safetensors raises its own type, which has only text."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


@contextmanager
def writing(folder: Path, needed: Callable[[], int]) -> Iterator[None]:
    """Turns errors of writing below `folder` into WeightsErrors that say what to do; `needed` gives bytes."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:
        if is_full(error):
            raise _full(folder, needed()) from error
        if isinstance(error, OSError):
            raise WeightsError(
                f"cannot write below {folder}: {error}. Set COSTEER_CACHE_DIR to a folder of your own."
            ) from error
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file atomically: it appears at `path` only once all of it has reached the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".tmp")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Waits until every file of `folder` has reached the disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Removes a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Removes unfinished files (*.tmp) below `folder`, also those left by a killed process."""
    for path in sorted(folder.rglob("*.tmp")):
        remove(path)


def digest(path: Path, progress: Progress, label: str = "") -> str:
    """The file's SHA-256 in hexadecimal; one stage of `progress`, which calls the file `label`."""
    progress.stage(f"Checking {label or path.name}", path.stat().st_size)
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            progress.advance(len(chunk))
    return sha256.hexdigest()


def verify(path: Path, sha256: str, size: int, progress: Progress) -> None:
    """Raises ChecksumMismatch unless the file has this SHA-256 and `size` in bytes."""
    found = path.stat().st_size
    if found != size:
        raise ChecksumMismatch(f"{path.name} has {found:,} bytes, not {size:,}")
    if (actual := digest(path, progress)) != sha256:
        raise ChecksumMismatch(f"{path.name} has sha256 {actual}, not {sha256}")


def free(folder: Path) -> int:
    """Free bytes on the disk of `folder`, which need not exist."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


def _full(folder: Path, needed: int) -> NotEnoughSpace:
    room = 0
    with suppress(OSError):
        room = free(folder)
    return NotEnoughSpace(
        f"not enough disk space in {folder}: {needed:,} bytes ({gigabytes(needed)}) are needed, "
        f"{room:,} ({gigabytes(room)}) are free. Make room, or set COSTEER_CACHE_DIR to a folder elsewhere."
    )
