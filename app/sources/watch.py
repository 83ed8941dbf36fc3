"""Waits for changes in folders, which may go and come back, and says what changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from watchfiles import Change, watch

from app.sources.mail import mail_file
from app.sources.place import file_of, is_folder, path_of

# Milliseconds: an editor's rename and a file that is written in parts count as one change, up to a bound.
QUIET = 300
AT_MOST = 1_600
# Milliseconds between two looks at whether the folders themselves are there.
LOOK = 1_000
# inode and device of a folder; None if it is not there.
Identity = tuple[int, int] | None


def changes(roots: Sequence[Path], stop: threading.Event) -> Iterator[set[str]]:
    """Yields the files and folders that changed; the roots themselves at the beginning, and whenever one of
    them has gone or come back. Yields nothing, as an empty set, about once a second.

    Files that are hidden are passed over, and folders. Where the system tells of no changes, or of too many
    folders, they are looked at again and again. Errors end nothing.
    """
    polling = False
    while not stop.is_set():
        before = [_identity(root) for root in roots]
        there = [root for root, one in zip(roots, before, strict=True) if one is not None]
        if not there:
            yield set()
            stop.wait(LOOK / 1000)
            continue
        everything, tops = {file_of(root) for root in there}, set(map(str, there))
        try:
            for batch in watch(
                *there,
                watch_filter=None,
                debounce=AT_MOST,
                step=QUIET,
                stop_event=stop,
                rust_timeout=LOOK,
                yield_on_timeout=True,
                force_polling=polling or None,
                ignore_permission_denied=True,
            ):
                # The first comes once the folders are watched, so nothing is missed in between.
                yield everything or _shown(_named(batch), there)
                everything = set()
                # A folder that was moved, and moved back, is the same, but is watched no more.
                moved = not tops.isdisjoint(path for how, path in batch if how == Change.deleted)
                if moved or [_identity(root) for root in roots] != before:
                    break
        except (OSError, RuntimeError):  # no more watches to be had, or a folder that has just gone
            yield set()
            polling = True
            stop.wait(LOOK / 1000)


def _identity(root: Path) -> Identity:
    try:
        state = root.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _named(batch: set[tuple[Change, str]]) -> set[str]:
    """What changed. That a folder did says only that something in it did, which is named itself."""
    return {file_of(Path(path)) for how, path in batch if how != Change.modified or not is_folder(Path(path))}


def _shown(files: set[str], roots: Sequence[Path]) -> set[str]:
    """Those that are not hidden within their root, as a Maildir's folders are."""
    tops = [file_of(root).rstrip(os.sep) + os.sep for root in roots]

    def hidden(file: str) -> bool:
        inner = (file.removeprefix(top) for top in tops if file.startswith(top))
        return any(f"{os.sep}." in f"{os.sep}{name}" for name in inner)

    return {file for file in files if not hidden(file) or mail_file.in_maildir(path_of(file))}
