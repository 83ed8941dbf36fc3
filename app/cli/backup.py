"""`costeer backup` and `restore`: copies all profiles to one file, and back, while a server runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.cli.environment import read_settings
from app.cli.private_file import written_privately
from app.cli.profiles import Yes
from app.cli.progress import RichProgress
from app.cli.terminal import confirm, counted, mistakes_named, say, write
from app.errors import CoSteerError
from app.profiles.store import Contents, Store
from app.profiles.store.engine import DATABASE

EPILOG = "Example:\n\ncosteer backup costeer-backup.db"
RESTORE_EPILOG = "Example:\n\ncosteer restore costeer-backup.db"

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file.")]


@mistakes_named()
def backup(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Copy everything that is stored into one file, for you alone to read. A server may go on meanwhile.

    In it are all profiles with their history and levels, and the hashes of API keys, so that keys work again
    after `costeer restore`. Nothing is in it that was erased. Not in it: config.toml, and the weights, which
    can be fetched again.
    """
    data_dir = read_settings().data_dir
    if not (data_dir / DATABASE).is_file():
        raise CoSteerError(f"There is nothing to copy yet: {data_dir} has no database.")
    if file.parent.resolve() == data_dir.resolve() and file.name.startswith(DATABASE):
        raise CoSteerError(f"{file}: costeer keeps files of such names there itself. Choose another name.")
    if file.exists() and not file.is_file():
        raise CoSteerError(f"{file} is no file. Name one that is to be written.")
    if file.exists() and not force:
        raise CoSteerError(f"{file} exists. Choose another name, or add --force to overwrite it.")
    with Store.open(data_dir) as store, RichProgress() as progress:
        progress.stage("Copying the database", store.path.stat().st_size)
        with written_privately(file) as partial:
            contents = store.backup(partial, progress.advance)
            size = partial.stat().st_size
    write(f"{file}: {_told(contents)}, {size / 1e6:,.1f} MB")
    say("Settings are not in it: copy config.toml too, if you have one (`costeer config path`).")


@mistakes_named()
def restore(file: File, yes: Yes = False) -> None:
    """Put a backup in place of everything that is stored: all profiles, history and API keys.

    A server may go on meanwhile, and uses the restored state from then on. Backups of earlier versions are
    taken too. The state before is kept beside the database until something is erased the next time.
    """
    if not file.is_file():
        raise CoSteerError(f"{file}: there is no such file. Name one that `costeer backup` has written.")
    with Store.open(read_settings().data_dir) as store:
        if file.resolve() == store.path.resolve():
            raise CoSteerError(
                f"{file} is the database itself. Name a file that `costeer backup` has written."
            )
        before = store.contents()
        # Twice, since other commands wait as long as the copy is there, and a person may take their time.
        with _copied(store, file, "Checking the backup") as copy:
            after = Contents.of(copy)
        if not _confirmed(before, after, yes=yes):
            return
        with _copied(store, file, "Restoring the backup") as copy:
            kept = store.restore(copy)
    write(f"{file}: restored {_told(after)}")
    say(f"The state before is {kept}, until something is erased.")
    if before.guarded and not after.guarded:
        say("It has no admin key: requests without a key open all profiles again.")


@contextmanager
def _copied(store: Store, file: Path, stage: str) -> Iterator[Path]:
    with RichProgress() as progress:
        progress.stage(stage, file.stat().st_size)
        with store.read_backup(file, progress.advance) as copy:
            yield copy


def _confirmed(before: Contents, after: Contents, *, yes: bool) -> bool:
    if not (before.profiles or before.keys):
        return True
    return confirm(
        f"Put {_told(after)} in place of {_told(before)}? API keys that were deleted since work again.",
        yes=yes,
    )


def _told(contents: Contents) -> str:
    return ", ".join(
        (
            counted(contents.profiles, "profile"),
            counted(contents.items, "history item"),
            counted(contents.keys, "API key"),
        )
    )
