"""`costeer history sync` and `sources`: keeps a history in step with folders, once or as they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.cli.adding import DryRun, ItemKind, ItemLevel, Me
from app.cli.environment import look_at_store, open_store
from app.cli.findings import for_programs, say_left_out, summary, write_kinds, write_reasons
from app.cli.intake import as_kept, brought_in, foreseen, known_as, surveyed
from app.cli.profiles import AsJson, ProfileId
from app.cli.terminal import mistakes_named, say, write, write_json, write_table
from app.cli.watching import watched
from app.disclosure.person import person_of
from app.errors import InvalidRequest
from app.profiles.disclosure import Level, strictest
from app.profiles.origin import Known, Root
from app.profiles.profile import Profile
from app.sources.place import absent, alike, file_of, filled, is_file, is_folder, path_of, shown, within
from app.sources.survey import Wanted

EPILOG = (
    "Examples:\n\ncosteer history sync isabel ~/Notes ~/Letters\n\n"
    "costeer history sync isabel --prune\n\ncosteer history sync isabel --watch"
)
SOURCES_EPILOG = (
    "Examples:\n\ncosteer history sources isabel\n\ncosteer history sources isabel --forget Notes"
)


@mistakes_named()
def sync(
    profile: ProfileId,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders, or files with many texts; unless given all that were named before.",
        ),
    ] = None,
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="Erase the items that files no longer say, or whose file is gone.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and read what changes, until Ctrl-C.")
    ] = False,
    me: Me = None,
    kind: ItemKind = None,
    level: ItemLevel = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep a profile's history in step with folders: what is new is added, what changed is read anew.

    The folders are remembered with --me, --kind and --level; `costeer history sources` lists them. What is
    no longer in them is counted, and erased with --prune only. A folder that is empty or not there, as one on
    a disk that is not connected, changes nothing.

    What you corrected by hand stays until its file changes; a level that you gave an item stays even then.
    """
    if watch and (dry_run or as_json):
        raise typer.BadParameter("--watch goes with neither --dry-run nor --json")
    with look_at_store() if dry_run else open_store() as store:
        person = store.profiles.get(profile)
        before = store.sources.roots(profile)
        given = Root("", tuple(me or ()), kind, level)
        named = [_named(path, before) for path in folders or ()] or before
        if not named:
            raise InvalidRequest("no folder was named yet: costeer history sync PROFILE FOLDER")
        roots = [_with(root, given) for root in named]
        for root in roots if not dry_run else ():
            if root not in before:
                store.sources.remember(profile, root)
        roots = _as_read(roots, before, level)
        if watch:
            watched(store, profile, roots, wanted_of, relevel=level is not None, prune=prune)
            return
        stored = store.sources.known(profile)
        found = surveyed(wanted_of(person, roots), stored)
        plan = found.plan(stored, relevel=level is not None)
        if not as_json:
            _say_missing(roots)
            say_left_out(found, every=dry_run)
        if dry_run:
            outcome = foreseen(plan)
        else:
            outcome = brought_in(store, profile, found, plan, relevel=level is not None, prune=prune)
    if as_json:
        write_json(for_programs(outcome, found))
        return
    write(f"profile {profile}: {summary(outcome, dry=dry_run)}")
    write_kinds(found)
    if dry_run:
        write_reasons(found)


@mistakes_named()
def sources(
    profile: ProfileId,
    forget: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Keep this folder in step no more; its items stay."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the folders that a profile's history is kept in step with."""
    if forget:
        with open_store() as store:
            for path in forget:
                store.sources.forget(profile, file_of(path))
                write(f"profile {profile}: {shown(path)} is read no more; its items stay")
        return
    with open_store() as store:
        roots = store.sources.roots(profile)
        stored = store.sources.known(profile)
    rows = [_row(root, stored) for root in roots]
    if as_json:
        write_json(rows)
        return
    columns = ("folder", "items", "state", "me", "kind", "level")
    write_table(columns, [[_cell(row[name]) for name in columns] for row in rows])
    if not rows:
        say("There are none yet: costeer history sync PROFILE FOLDER")


def wanted_of(profile: Profile, roots: Sequence[Root]) -> list[Wanted]:
    """What to read of the folders. Sources name files from the folder on, not where it lies."""
    return [
        Wanted(
            path_of(root.path),
            person_of(profile, known_as((), root.path, roots)),
            root.kind,
            root.level,
            prefix=f"{shown(path_of(root.path).parent).rstrip('/')}/",
        )
        for root in roots
    ]


def _named(path: Path, before: Sequence[Root]) -> Root:
    """The folder with the options that it had before. Raises InvalidRequest if there is none."""
    file = file_of(path)
    known = next((one for one in before if alike(one.path, file)), None)
    if known is None and absent(file):
        raise InvalidRequest(f"{shown(path)}: there is no such folder")
    return known or Root(file)


def _with(root: Root, given: Root) -> Root:
    """The folder with what is given in place of its own options."""
    return replace(
        root, me=given.me or root.me, kind=given.kind or root.kind, level=given.level or root.level
    )


def _as_read(roots: Sequence[Root], before: Sequence[Root], level: Level | None) -> list[Root]:
    """The folders, and those remembered ones that lie in them; each with the options of those that it lies in
    where it has none. A level that is given makes none of those within less strict."""
    paths = {root.path for root in roots}
    others = [one for one in before if one.path not in paths]
    inner = [
        replace(one, level=strictest(one.level or "open", level) if level else one.level)
        for one in others
        if any(within(one.path, path) for path in paths)
    ]
    every = [*roots, *inner, *others]
    return [as_kept(root.path, every) for root in (*roots, *inner)]


def _say_missing(roots: Sequence[Root]) -> None:
    for root in roots:
        if _state(root) != "there":
            say(f"{shown(path_of(root.path))} is {_state(root)}: what was read of it stays")


def _state(root: Root) -> str:
    path = path_of(root.path)
    if is_file(path) or filled(path):
        return "there"
    return "empty" if is_folder(path) else "not there"


def _row(root: Root, stored: Sequence[Known]) -> dict[str, object]:
    return {
        "folder": shown(path_of(root.path)),
        "items": sum(within(one.origin.file, root.path) for one in stored),
        "state": _state(root),
        "me": list(root.me),
        "kind": root.kind,
        "level": root.level,
    }


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value or "")
