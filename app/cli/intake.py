"""What is read from files becomes part of a history: whose texts are looked for, and what is made of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from app.cli.bulk import apply_all
from app.cli.progress import ItemProgress
from app.cli.terminal import counted
from app.profiles.disclosure import strictest
from app.profiles.origin import Add, Change, Known, Move, Relevel, Remove, Replace, Root
from app.profiles.store import Store
from app.sources.documents.document import one_line
from app.sources.formats import read
from app.sources.place import path_of, within
from app.sources.survey import Survey, Tell, Wanted, survey
from app.sources.sync import Plan
from app.sources.walk import walk

# Items between two changes of what the progress says.
OFTEN = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """Numbers of items: what became of those that were read, and of those that files no longer say."""

    added: int
    updated: int
    unchanged: int
    moved: int
    same: int
    vanished: int
    removed: int


def known_as(me: Sequence[str], file: str, roots: Sequence[Root]) -> tuple[str, ...]:
    """The names given, and those by which the person is known in the folders that a file lies in."""
    return tuple(dict.fromkeys([*me, *(one for root in roots if within(file, root.path) for one in root.me)]))


def as_kept(file: str, roots: Sequence[Root]) -> Root:
    """The file or folder with the options of the folders that it lies in: each of the deepest that has it,
    but the names of all."""
    around = sorted((root for root in roots if within(file, root.path)), key=lambda root: -len(root.path))
    kind = next((root.kind for root in around if root.kind), None)
    level = next((root.level for root in around if root.level), None)
    return Root(file, known_as((), file, roots), kind, level)


def surveyed(
    wanted: Sequence[Wanted], stored: Sequence[Known], only: Collection[str] | None = None
) -> Survey:
    """Reads all that is wanted, with its progress on the terminal."""
    with ExitStack() as stack:

        def begin(files: int) -> Tell:
            bar = stack.enter_context(ItemProgress("Reading files", files, rate=False))
            items = 0

            def tell(read: int, found: int) -> None:
                nonlocal items
                bar.advance(read)
                items += found
                if found and items % OFTEN == 0:
                    bar.describe(f"Reading files, {counted(items, 'item')}")

            return tell

        return survey(wanted, walk, read, stored, only=only, begin=begin)


def foreseen(plan: Plan) -> Outcome:
    """What would become of all that was read."""
    return Outcome(
        added=len(plan.add),
        updated=len(plan.replace) + len(plan.relevel),
        unchanged=plan.unchanged,
        moved=plan.moved,
        same=plan.same,
        vanished=len(plan.vanished),
        removed=0,
    )


def brought_in(
    store: Store, profile_id: str, found: Survey, plan: Plan, *, relevel: bool = False, prune: bool = False
) -> Outcome:
    """Stores what is new and changed, and erases what has vanished if that is wanted (`prune`). With
    `relevel` what changed gets the level that it was read with; else it keeps its own."""
    total = plan.changes + (len(plan.vanished) if prune else 0)
    changes = _changes(found, plan, relevel=relevel, prune=prune)
    made = apply_all(store.sources, profile_id, changes, total) if total else {}
    removed = made.get(Remove, 0)
    return Outcome(
        added=made.get(Add, 0),
        updated=made.get(Replace, 0) + made.get(Relevel, 0),
        # What another command has stored meanwhile is not stored twice.
        unchanged=plan.unchanged + len(plan.add) - made.get(Add, 0),
        moved=plan.moved,
        same=plan.same,
        vanished=len(plan.vanished) - removed,
        removed=removed,
    )


def _changes(found: Survey, plan: Plan, *, relevel: bool, prune: bool) -> Iterator[Change]:
    for before, now in plan.move:
        names = (_name(before.origin.file), _name(now.origin.file)) if now.named else None
        yield Move(before.id, now.origin, names)
    yield from (Relevel(before.id, now.level) for before, now in plan.relevel)
    replaced = {now: before for before, now in plan.replace}
    changed = {*replaced, *plan.add}
    for now, item in found.items(one for one in found.seen if one in changed):
        least = None if relevel else plan.least.get(now)
        if stored := replaced.get(now):
            level = now.level if relevel else least and strictest(stored.level, least)
            yield Replace(stored.id, item, now.origin, level)
        else:
            level = strictest(item.disclosure, least or "open")
            yield Add(replace(item, disclosure=level), now.origin)
    if prune:
        yield from (Remove(one.id) for one in plan.vanished)


def _name(file: str) -> str:
    """The title of a text that has none."""
    return one_line(path_of(file).stem)
