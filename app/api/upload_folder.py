"""The folder in which the files of one request lie while they are read: for the user only."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import Depends

from app.api.dependencies import PartsDep
from app.api.received import made
from app.errors import StoreError


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
        return Path(tempfile.mkdtemp(dir=made(data_dir)))  # with mode 0700
    except OSError as error:
        raise not_kept(error) from None


def not_kept(error: OSError) -> StoreError:
    return StoreError(f"What is sent cannot be kept while it is read: {error.strerror}.")
