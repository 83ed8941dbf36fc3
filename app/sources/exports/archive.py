"""Opens a file, or those files in a zip archive that are wanted, to be read piece by piece."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from app.profiles.plain_text import foreign

SIGNATURE = b"PK\x03\x04"
# Bytes that are looked at to say what a file is.
HEAD = 2**16
# Bytes that are read of all files in an archive together: a small one can hold terabytes of blanks.
MAX_UNPACKED = 2**31

# What zipfile raises where an archive is damaged, locked by a password or packed in a way of its own.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
Wanted = Callable[[str], bool]


class Damaged(Exception):
    """The archive, or a file in it, cannot be unpacked."""

    reason = (
        "the archive cannot be unpacked: it is damaged, or needs a password; unpack it and add the folder"
    )


class _Room:
    """How many bytes may still be unpacked of an archive."""

    def __init__(self) -> None:
        self.left = MAX_UNPACKED


class _Member(io.RawIOBase):
    """A file in an archive, of bounded size. Raises Damaged."""

    def __init__(self, packed: IO[bytes], room: _Room) -> None:
        self._packed = packed
        self._room = room

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._packed.read(min(len(buffer), self._room.left))
        except DAMAGE:
            raise Damaged from None
        self._room.left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def packed(path: Path) -> bool:
    """Whether the file is a zip archive."""
    with path.open("rb") as stream:
        return stream.read(len(SIGNATURE)) == SIGNATURE


def opened(path: Path, wanted: Wanted) -> Iterator[tuple[str, io.BufferedReader]]:
    """The name and the bytes of the file itself, or of each file of an archive whose name without folders is
    wanted, sorted by name. Raises OSError and Damaged, while they are read as well."""
    if not packed(path):
        with path.open("rb") as stream:
            yield path.name, stream
        return
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE:
        raise Damaged from None
    room = _Room()
    with archive:
        for name in sorted(archive.namelist()):
            if not _wanted(name, wanted):
                continue
            try:
                member = archive.open(name)
            except DAMAGE:
                raise Damaged from None
            with member, cast(io.BufferedReader, io.BufferedReader(_Member(member, room))) as stream:
                yield name, stream


def names(path: Path, wanted: Wanted) -> list[str]:
    """The names in an archive that are wanted; none for what is no archive. Raises OSError."""
    if not packed(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist() if _wanted(name, wanted)]
    except DAMAGE:
        return []


def beginning(path: Path, wanted: Wanted) -> bytes:
    """The first bytes of the file, or of the first one that is wanted in an archive; b"" for none. Raises
    OSError."""
    try:
        for _, stream in opened(path, wanted):
            return stream.read(HEAD)
    except Damaged:
        pass
    return b""


def encoding_of(stream: io.BufferedReader) -> str:
    """UTF-16 or UTF-32 by the mark or the zeros at the beginning, else UTF-8. Nothing is read away."""
    head = stream.peek(64)[:64]
    found = foreign(head)
    if found == "UTF-32" or (found and head[:2] in (b"\xff\xfe", b"\xfe\xff")):
        return found.lower()
    if found:
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    return "utf-8-sig"


def _wanted(name: str, wanted: Wanted) -> bool:
    """Archives made on a Mac hold a second file for each, which only has its icon."""
    path = PurePosixPath(name)
    return not name.endswith("/") and "__MACOSX" not in path.parts and wanted(path.name)
