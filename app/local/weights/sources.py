"""The interfaces of a source of weights and of its progress, and the simplest source: the user's folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.local.weights.errors import SourceFailed


class Progress(Protocol):
    """Receives progress reports. Stages follow one another; a new one ends the one before."""

    def stage(self, description: str, total: int | None) -> None:
        """A stage begins; `total` is its number of bytes, None if there is nothing to count."""

    def advance(self, n: int) -> None:
        """`n` more bytes of this stage are done."""


class _Silent:
    def stage(self, description: str, total: int | None) -> None:
        pass

    def advance(self, n: int) -> None:
        pass


SILENT: Progress = _Silent()


class Source(Protocol):
    """Provides a bundle's GGUF file."""

    @property
    def key(self) -> str:
        """The name of this source's folder under the bundle's downloads."""

    @property
    def label(self) -> str:
        """Its name in messages."""

    def fetch(self, filename: str, size: int, into: Path, progress: Progress) -> Path:
        """The GGUF file of `size` bytes, not verified yet; written to `into` unless it exists elsewhere.

        Raises SourceFailed when this source cannot provide it, OSError when `into` cannot be written.
        What the next attempt can resume from stays in `into`; files ending in .tmp are deleted.
        """


@dataclass(frozen=True)
class Folder:
    """The user's own folder of GGUF files: read, never written."""

    path: Path | None
    key: str = "folder"

    @property
    def label(self) -> str:
        return f"weights folder {self.path}" if self.path else "weights folder"

    def fetch(self, filename: str, size: int, into: Path, progress: Progress) -> Path:
        if self.path is None:
            raise SourceFailed("COSTEER_WEIGHTS_DIR is not set")
        if not self.path.is_dir():
            raise SourceFailed("no such folder")
        gguf = self.path / filename
        if not gguf.is_file():
            raise SourceFailed(f"has no file {filename}")
        if not os.access(gguf, os.R_OK):
            raise SourceFailed(f"{filename} cannot be read")
        return gguf
