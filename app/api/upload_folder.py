"""The folder in which files that clients send lie while they are read: for the user only, and emptied."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import anyio.to_thread
from fastapi import Depends

from app.api.dependencies import PartsDep
from app.errors import StoreError

if sys.platform != "win32":
    import fcntl

NAME = "received"
LOCK = "received.lock"


@contextmanager
def swept(data_dir: Path) -> Iterator[None]:
    """While a server runs. At its start it removes what one that crashed has left, unless another is running,
    whose files these may be."""
    with _private(data_dir / LOCK) as lock:
        if _alone(lock.fileno()):
            shutil.rmtree(data_dir / NAME, ignore_errors=True)
        _shared(lock.fileno())
        yield


async def upload_folder(parts: PartsDep) -> AsyncIterator[Path]:
    """A new folder, which is removed with all in it once the answer is sent or the client has left."""
    folder = await anyio.to_thread.run_sync(_made, parts.store.path.parent)
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


UploadFolderDep = Annotated[Path, Depends(upload_folder)]


def _made(data_dir: Path) -> Path:
    try:
        (data_dir / NAME).mkdir(mode=0o700, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=data_dir / NAME))  # with mode 0700
    except OSError as error:
        raise not_kept(error) from None


def not_kept(error: OSError) -> StoreError:
    return StoreError(f"What is sent cannot be kept while it is read: {error.strerror}.")


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
