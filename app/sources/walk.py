"""Which files of some paths are looked at: all that are named, and of a folder what people write.

Hidden files and folders are passed over without a word, as are a folder's files that a link leads to again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.sources.formats import ADVICE, NOT_READ, SUFFIXES
from app.sources.found import LeftOut
from app.sources.mail import mail_file
from app.sources.place import is_folder, is_link
from app.sources.vault import vault_of

# Folders that programs fill.
MACHINERY = {"node_modules", "__pycache__", "__macosx", "$recycle.bin", "system volume information", "@eadir"}
# Other things than files and folders that a folder may hold.
SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
OUT = LeftOut("a link out of the folder; name it to add what is there")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to read; `explicit` if it was named itself."""

    path: Path
    explicit: bool


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file or folder that is not looked into, and why."""

    path: Path
    left: LeftOut


def walk(paths: Iterable[Path]) -> Iterator[Candidate | PassedOver]:
    """The files in the order of the paths, those of a folder sorted by name, its own before those
    of folders in it; each file once, however many paths and links lead to it."""
    seen: set[str] = set()
    for path in paths:
        if is_folder(path):
            yield from _Folder(path, seen).entries()
        elif (real := os.path.realpath(path)) not in seen:
            seen.add(real)
            yield Candidate(path, explicit=True)


class _Folder:
    """Walks a folder; `seen` are the real paths of the files that came before."""

    def __init__(self, top: Path, seen: set[str]) -> None:
        self._top = top
        self._real_top = os.path.realpath(top)
        self._vault = vault_of(top)
        self._seen = seen
        self._passed: list[PassedOver] = []

    def entries(self) -> Iterator[Candidate | PassedOver]:
        files = list(self._files())
        passed, self._passed = self._passed, []
        yield from passed
        # A file itself comes before links to it, wherever they stand.
        own = {os.path.realpath(path) for path in files if not is_link(path)}
        found = bool(passed)
        for path in files:
            entry = self._entry(path, own)
            if entry is not None:
                found = True
                yield entry
        if not found:
            yield PassedOver(self._top, LeftOut("a folder without any file that is read", broken=True))

    def _files(self) -> Iterator[Path]:
        """The files that are not hidden, sorted; does not follow links to folders."""
        for root, folders, files in os.walk(self._top, onerror=self._unreadable):
            within = Path(root)
            mail = mail_file.is_maildir(within)
            folders[:] = sorted(name for name in folders if self._entered(within / name, mail=mail))
            for name in sorted(files):
                if name.startswith(".") and name.endswith(".icloud"):
                    # The file's own name, by which its items are known, lies within the placeholder's.
                    evicted = within / name.removeprefix(".").removesuffix(".icloud")
                    self._pass_over(evicted, LeftOut("not loaded from iCloud yet", broken=True))
                elif not name.startswith("."):
                    yield within / name

    def _entered(self, folder: Path, *, mail: bool) -> bool:
        """`mail`: it lies in a Maildir, whose own folders are hidden, and whose tmp is not delivered."""
        name = folder.name
        if name.startswith("."):
            return mail and mail_file.is_maildir(folder)
        if mail and name == "tmp":
            return False
        if is_link(folder):
            if not self._within(os.path.realpath(folder)):
                self._pass_over(folder, OUT)
            return False
        if name.lower() in MACHINERY:
            self._pass_over(folder, LeftOut("a folder of programs' own files"))
            return False
        if reason := self._vault.reason(folder):
            self._pass_over(folder, LeftOut(reason))
            return False
        return True

    def _entry(self, path: Path, own: set[str]) -> Candidate | PassedOver | None:
        real = os.path.realpath(path)
        if is_link(path):
            if not self._within(real):
                return PassedOver(path, OUT)
            if real in own:
                return None
        if real in self._seen:
            return None
        self._seen.add(real)
        if path.name.startswith("~$"):
            return PassedOver(path, LeftOut("a lock of an office program"))
        if not _read(path):
            return PassedOver(path, NOT_READ)
        return _special(path) or Candidate(path, explicit=False)

    def _within(self, real: str) -> bool:
        return Path(real).is_relative_to(self._real_top)

    def _pass_over(self, path: Path, left: LeftOut) -> None:
        self._passed.append(PassedOver(path, left))

    def _unreadable(self, error: OSError) -> None:
        left = LeftOut(f"cannot be read: {error.strerror}", broken=True)
        self._pass_over(Path(os.fsdecode(error.filename)), left)


def _read(path: Path) -> bool:
    """Whether a file's name is one of those that are read; without a suffix its beginning will tell."""
    suffix = path.suffix.lower()
    return not suffix or suffix in SUFFIXES or suffix in ADVICE or mail_file.in_maildir(path)


def _special(path: Path) -> PassedOver | None:
    """Whether the path is a pipe, which might never end, or anything else that is no file."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError as error:
        return PassedOver(path, LeftOut(f"cannot be read: {error.strerror}", broken=True))
    if kind not in SPECIAL:
        return None
    return PassedOver(path, LeftOut(f"{SPECIAL[kind]} and no file; take it out of the folder", broken=True))
