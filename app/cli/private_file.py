"""Writes files that hold something private, such as a profile or the replies to one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from app.errors import CoSteerError


def write_privately(path: Path, data: bytes) -> None:
    """Writes the file atomically, with permissions for the user only."""
    try:
        descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with mode 0600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CoSteerError(f"{path}: cannot be written: {error.strerror}") from error
