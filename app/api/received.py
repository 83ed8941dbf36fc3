"""The folder of all files that clients send: emptied at a server's start, unless another server runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

NAME = "received"
LOCK = "received.lock"


@contextmanager
def swept(data_dir: Path) -> Iterator[bool]:
    """While a server runs. At its start it removes what one that crashed has left, unless another is running,
    whose files these may be. Gives whether none is."""
    with _private(data_dir / LOCK) as lock:
        if alone := _alone(lock.fileno()):
            shutil.rmtree(data_dir / NAME, ignore_errors=True)
        _shared(lock.fileno())
        yield alone


def made(data_dir: Path) -> Path:
    """The folder in which those of all requests lie. Raises OSError."""
    folder = data_dir / NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _private(path: Path) -> BinaryIO:
    """The file, which nobody else can open, and so lock."""
    lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    path.chmod(0o600)  # it may be older
    return lock


def _alone(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _shared(descriptor: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_SH)
