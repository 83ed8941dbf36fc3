"""Writes files that hold something private, such as a profile or the replies to one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import CoSteerError


def write_privately(path: Path, data: bytes) -> None:
    """Writes the file atomically, with permissions for the user only."""
    with written_privately(path) as partial:
        partial.write_bytes(data)


@contextmanager
def written_privately(path: Path) -> Iterator[Path]:
    """Yields the path of an empty file for the user only, to be written; it takes its place, whole and on the
    disk, when the block ends without an error. Raises CoSteerError if it cannot be written."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with mode 0600
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "rb") as stream:
                yield partial
                os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CoSteerError(f"{path}: cannot be written: {error.strerror}") from error


def private_folder(folder: Path) -> None:
    """Makes the folder, for the user only, unless it is there. Raises CoSteerError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CoSteerError(f"{folder}: cannot be made: {error.strerror}") from error
