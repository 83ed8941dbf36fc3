"""Where files are: their absolute paths as texts, which of them are there, and which lie within others."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize

# Bytes of a path that are no UTF-8, as Python holds them, and as the database can.
STRANGE = {0xDC80 + byte: 0xF780 + byte for byte in range(128)}
BACK = {ours: theirs for theirs, ours in STRANGE.items()}


def file_of(path: Path) -> str:
    """The file's absolute path without links, as a text that the database can hold."""
    return os.path.realpath(path).translate(STRANGE)


def path_of(file: str) -> Path:
    return Path(file.translate(BACK))


def shown(path: Path) -> str:
    """A path for people; its bytes need not be valid UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def within(file: str, root: str) -> bool:
    """Whether the file is the root, or in it."""
    return file == root or file.startswith(root.rstrip(os.sep) + os.sep)


def is_folder(path: Path) -> bool:
    """Whether the path is a folder; not if that cannot be found out, as below one that is locked."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether the path is a file; not if that cannot be found out."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_link(path: Path) -> bool:
    """Whether the path is a symbolic link; not if that cannot be found out."""
    try:
        return path.is_symlink()
    except OSError:
        return False


def absent(file: str) -> bool:
    """Whether there is no such file; not if that cannot be found out."""
    try:
        path_of(file).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def alike(file: str, other: str) -> bool:
    """Whether two paths are one, or differ in case and accents' form alone and lead to one folder, as on Macs
    and Windows."""
    if file == other:
        return True
    try:
        return _folded(file) == _folded(other) and path_of(file).samefile(path_of(other))
    except OSError:
        return False


def _folded(file: str) -> str:
    return normalize("NFC", file).casefold()


def filled(folder: Path) -> bool:
    """Whether anything is in the folder that is not hidden."""
    try:
        return any(not one.name.startswith(".") for one in folder.iterdir())
    except OSError:
        return False
