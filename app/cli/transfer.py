"""`costeer profiles import`, `samples` and `export`: reads profiles from files, and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli.environment import open_store
from app.cli.private_file import write_privately
from app.cli.profiles import ProfileId
from app.cli.terminal import counted, mistakes_named, write, write_bytes, write_table
from app.errors import CoSteerError, ProfileFileError
from app.profiles.profile import ProfileDocument, StoredProfile
from app.profiles.profile_file import dump_profile, read_profile_file
from app.profiles.shipped import sample_profiles
from app.profiles.store import Store

STDOUT = "-"


@mistakes_named()
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Profile files, TOML or JSON.", metavar="FILE")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave profiles as they are that exist.")] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace profiles that exist, with their whole history."),
    ] = False,
) -> None:
    """Import profile files. One that exists and differs is refused, unless you say what to do with it.

    Nothing is stored if any file is wrong or refused.
    """
    if keep and replace:
        raise typer.BadParameter("--keep and --replace exclude each other")
    _import(files, keep=keep, replace=replace)


@mistakes_named()
def samples(
    take: Annotated[
        bool, typer.Option("--import", help="Import those that are not there yet; the others stay.")
    ] = False,
) -> None:
    """List the sample profiles that come with costeer: who they are, and the files to learn from."""
    files = sample_profiles()
    if take:
        _import(files, keep=True, replace=False)
        return
    rows = [(path, read_profile_file(path)) for path in files]
    write_table(
        ("id", "name", "history", "file"),
        [
            (document.profile.id, document.profile.name, counted(len(document.history), "item"), str(path))
            for path, document in rows
        ],
    )


def _import(files: Sequence[Path], *, keep: bool, replace: bool) -> None:
    documents = [read_profile_file(path) for path in files]
    ids = [document.profile.id for document in documents]
    for number, profile_id in enumerate(ids):
        if profile_id in ids[:number]:
            raise ProfileFileError(f"{files[number]}: an earlier file has the id {profile_id!r} already")
    with open_store() as store:
        known = {stored.profile.id: stored for stored in store.profiles.list()}
        unchanged = {one.profile.id for one in documents if store.profiles.has(one)}
        if not keep and not replace:
            _refuse([known[one] for one in ids if one in known and one not in unchanged])
        for document in documents:
            profile_id = document.profile.id
            kept = keep and profile_id in known and profile_id not in unchanged
            write(f"profile {profile_id}: {'kept' if kept else _store(store, document, replace=replace)}")


@mistakes_named()
def export(
    profile: ProfileId,
    file: Annotated[str, typer.Argument(help="The file; - is the standard output.", metavar="FILE")] = STDOUT,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Export a profile with its whole history as JSON, which `import` takes back as it was."""
    path = Path(file)
    if file != STDOUT and path.exists():
        if not path.is_file():
            raise CoSteerError(
                f"{path} is no file. Name one that is to be written, or - for standard output."
            )
        if not force:
            raise CoSteerError(f"{path} exists. Choose another name, or add --force to overwrite it.")
    with open_store() as store:
        document = store.profiles.export(profile)
    data = dump_profile(document)
    if file == STDOUT:
        write_bytes(data)
    else:
        write_privately(path, data)
        write(f"{path}: {counted(len(document.history), 'history item')}, {counted(len(data), 'byte')}")


def _refuse(differing: Sequence[StoredProfile]) -> None:
    if differing:
        head = (
            "nothing was imported: other profiles with the same id exist. Add --replace to put the files "
            "in their place, or --keep to leave them as they are."
        )
        items = [(one.profile.id, counted(one.history_count, "history item")) for one in differing]
        lines = [f"  {profile_id}: --replace would erase its {count}" for profile_id, count in items]
        raise ProfileFileError("\n".join([head, *lines]))


def _store(store: Store, document: ProfileDocument, *, replace: bool) -> str:
    if replace or store.profiles.has(document):
        return store.profiles.put(document)
    store.profiles.create(document)
    return "created"
