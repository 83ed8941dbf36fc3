"""`costeer history add`: reads files and folders once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.cli.environment import look_at_store, open_store
from app.cli.findings import for_programs, say_left_out, summary, write_kinds, write_reasons
from app.cli.intake import as_kept, brought_in, foreseen, surveyed
from app.cli.profiles import AsJson, ProfileId
from app.cli.terminal import mistakes_named, write, write_json
from app.disclosure.person import person_of
from app.errors import InvalidRequest
from app.profiles.disclosure import Level
from app.profiles.history_file import STDIN, SUFFIXES, mistakes_of, read_history, refusal
from app.profiles.profile import HistoryItem, Kind
from app.sources.place import file_of, is_file, is_folder, shown
from app.sources.survey import Survey, Wanted

EPILOG = (
    "Examples:\n\ncosteer history add isabel letters/ essay.md notes.jsonl\n\n"
    "costeer history add isabel Takeout/Mail.mbox --me isabel@example.com --dry-run\n\n"
    "pbpaste | costeer history add isabel - --title 'A toast for Anna'\n\n"
    'A line of JSONL: {"request": "Write a toast for Anna.", "text": "...", "title": "...", '
    '"created_at": "2026-01-31T09:30:00Z"}'
)
# Suffixes of files that hold many texts.
MANY = {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".zip", ".mbox", ".mbx"}
Me = Annotated[
    list[str] | None,
    typer.Option(
        "--me",
        metavar="NAME|ADDRESS",
        help="How chats and mail call you, besides the profile's name and the addresses in its fields; may "
        "be given many times.",
    ),
]
ItemKind = Annotated[
    Kind | None,
    typer.Option(
        help="What the items are, where they do not say so; document unless set. With turn an export of "
        "ChatGPT or Claude gives your questions with the answers, else your messages alone."
    ),
]
ItemLevel = Annotated[
    Level | None,
    typer.Option(
        help="What replies may tell the remote of the items, where they do not say so; open unless set. "
        "Items that are stored already get it too, and keep theirs without this."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Only say what would be kept, and why the rest would not."),
]


@mistakes_named()
def add(
    profile: ProfileId,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files, and folders for all in them that is not hidden; - for text on the standard input.",
        ),
    ],
    *,
    me: Me = None,
    title: Annotated[
        str | None, typer.Option(help="The title of a single text, instead of its heading or file name.")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="What a single text answers, as if somebody had asked you for it.")
    ] = None,
    kind: ItemKind = None,
    level: ItemLevel = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add files to a profile's history: notes, letters, mail, chats, exports.

    What is stored already is recognised: a file that has changed is read anew, and the same content is not
    stored twice. Nothing is stored if a file that you name has mistakes, or nothing to keep; in a folder such
    files are left out, and named.

    The title of a .md or .txt file is the title in its front matter (between --- or +++), else its first
    heading (# ...), else the file's name.

    To keep a folder and the history in step, see `costeer history sync`.
    """
    for option, given in (("--title", title), ("--request", request)):
        if given is not None and not _is_one_text(paths):
            raise typer.BadParameter(
                f"{option} is for a single text: one text file, or - for the standard input"
            )
    if paths.count(STDIN) > 1:
        raise typer.BadParameter("- can stand once only")
    with look_at_store() if dry_run else open_store() as store:
        person = store.profiles.get(profile)
        roots = store.sources.roots(profile)
        options = Wanted(Path(), person_of(person, me or ()), kind, level, title, request)
        wanted = [
            replace(
                options,
                path=path,
                person=person_of(person, (*(me or ()), *kept.me)),
                kind=kind or kept.kind,
                level=level or kept.level,
            )
            for path, kept in (
                (Path(one), as_kept(file_of(Path(one)), roots)) for one in paths if one != STDIN
            )
        ]
        stored = store.sources.known(profile)
        typed, mistakes, count = _typed(paths, options)
        found = surveyed(wanted, stored)
        for path in _fruitless(found, wanted):
            some, number = _mistakes(found, path)
            mistakes += some
            count += number
        if count:
            raise refusal(mistakes, count)
        for item in typed:
            found.type_in(item)
        plan = found.plan(stored, relevel=level is not None)
        if dry_run:
            outcome = foreseen(plan)
        else:
            if not as_json:
                say_left_out(found)
            outcome = brought_in(store, profile, found, plan, relevel=level is not None)
    if as_json:
        write_json(for_programs(outcome, found))
        return
    said = summary(outcome, dry=dry_run, prune="costeer history sync --prune")
    write(f"profile {profile}: {said}")
    if dry_run or any(is_folder(Path(path)) for path in paths):
        write_kinds(found)
    if dry_run:
        write_reasons(found)
        say_left_out(found, every=True)


def _typed(paths: Sequence[str], options: Wanted) -> tuple[list[HistoryItem], list[str], int]:
    """The text on the standard input, if it is to be read; or the mistakes in it, and their number."""
    if STDIN not in paths:
        return [], [], 0
    given = {"title": options.title, "request": options.request, "kind": options.kind, "level": options.level}
    try:
        return read_history([STDIN], sys.stdin.buffer, **given), [], 0  # type: ignore[arg-type]
    except InvalidRequest as mistake:
        return [], [line.strip() for line in mistake.message.splitlines()[1:]], 1


def _fruitless(found: Survey, wanted: Sequence[Wanted]) -> list[Path]:
    """What was named and gave nothing: such a file has mistakes, or is not what the person takes it for."""
    with_items = {one.origin.file for one in found.seen}
    return [
        one.path
        for one in wanted
        if any(left.broken or not is_folder(one.path) for left in found.passed_of(one.path))
        and one.file not in with_items
    ]


def _mistakes(found: Survey, path: Path) -> tuple[list[str], int]:
    """What is wrong with a path: of a file that people write by line and key, else as the reader says."""
    if path.suffix.lower() in SUFFIXES | {""} and is_file(path):
        mistakes, count = mistakes_of(str(path))
        if count:
            return mistakes, count
    lines = [f"{shown(path)}: {left.reason}" for left in found.passed_of(path)]
    return lines, len(lines)


def _is_one_text(paths: Sequence[str]) -> bool:
    (path, *others) = map(Path, paths)
    return not others and not is_folder(path) and path.suffix.lower() not in MANY
