"""Compares what files say now with what is stored of them: what is new, changed, moved and gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from app.profiles.disclosure import Level, strictest
from app.profiles.origin import Known, Origin

Place = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as it is read now: where, and the hash of it. Without a file it was typed.

    `origin.read` is the hash of what the file itself says. The item's own differs where its title is the
    file's name (`named`), or where the person gives a title or a request (`given`).
    """

    origin: Origin
    hash: str
    level: Level = "open"
    named: bool = False
    given: bool = False


@dataclass(slots=True)
class Plan:
    """What to do so that the history says what the files say.

    `add` in the order of reading; the others with the stored item. A move changes no content: the file is
    called otherwise now, or the part of it. `unchanged` counts those that also have not moved to
    another file, `same` those whose content is stored from elsewhere. `vanished` is what files no longer say;
    it stays unless somebody wants it erased. `least` has, of what is added or replaces another, the level
    that the same content was stored with: files that change names must not make it less strict.
    """

    add: list[Seen] = field(default_factory=list)
    replace: list[tuple[Known, Seen]] = field(default_factory=list)
    move: list[tuple[Known, Seen]] = field(default_factory=list)
    relevel: list[tuple[Known, Seen]] = field(default_factory=list)
    vanished: list[Known] = field(default_factory=list)
    least: dict[Seen, Level] = field(default_factory=dict)
    unchanged: int = 0
    moved: int = 0
    same: int = 0

    @property
    def changes(self) -> int:
        return len(self.add) + len(self.replace) + len(self.move) + len(self.relevel)


def planned(
    stored: Sequence[Known],
    seen: Sequence[Seen],
    *,
    vanished: Callable[[str], bool],
    absent: Callable[[str], bool],
    relevel: bool = False,
) -> Plan:
    """The plan for all that is stored of a profile, and all that was read now.

    `vanished` says of a stored item's file whether what was not read of it is gone; `absent` whether a file
    is no longer there, wherever it was, so that its items may be found elsewhere. With `relevel` what has not
    changed gets the level that it is read with; else it keeps its own.

    Within a file the same content counts before the same part: parts may be numbers, and a new first line
    must not give its level to the second. Then the same part with other content is a change; then the same
    content from a file that is gone, or typed in, is a move.
    """
    plan = Plan()
    named, typed = ([one for one in seen if bool(one.origin.file) is of] for of in (True, False))
    placed, loose = ([one for one in stored if bool(one.origin.file) is of] for of in (True, False))
    kept: set[str] = set()
    for of_both in (_exactly, _content, _part):
        pairs, named, placed = _paired(named, placed, of_both)
        for now, before in pairs:
            _matched(plan, now, before, kept, relevel=relevel)
    _find_elsewhere(plan, [*named, *typed], [*placed, *loose], kept, lambda one: vanished(one) or absent(one))
    moved = {before.id for before, _ in plan.move}
    plan.vanished = [one for one in placed if one.id not in moved and vanished(one.origin.file)]
    plan.least = _least([*plan.add, *(now for _, now in plan.replace)], stored)
    return plan


def _exactly(origin: Origin) -> Place:
    return origin.file, origin.part, origin.read


def _content(origin: Origin) -> Place:
    return origin.file, origin.read


def _part(origin: Origin) -> Place:
    return origin.file, origin.part


def _matched(plan: Plan, now: Seen, before: Known, kept: set[str], *, relevel: bool) -> None:
    """An item that is stored from this file: its content is another, or its part alone, or nothing."""
    if now.origin.read != before.origin.read or (now.given and now.hash != before.hash):
        plan.replace.append((before, now))
        kept |= {now.hash, now.origin.read}
        return
    kept |= {before.hash, before.origin.read}
    if relevel and now.level != before.level:
        plan.relevel.append((before, now))
    else:
        plan.unchanged += 1
    if now.origin.part != before.origin.part:
        plan.move.append((before, now))


def _find_elsewhere(
    plan: Plan, seen: Sequence[Seen], stored: Sequence[Known], kept: set[str], free: Callable[[str], bool]
) -> None:
    """What is stored from no file, from another or not at all. A file that is not `free` still says it."""
    by_hash: dict[str, list[Known]] = defaultdict(list)
    for one in stored:
        for hashed in {one.hash, one.origin.read} - {""}:
            by_hash[hashed].append(one)
    taken: set[int] = set()
    for now in seen:
        says = {now.hash} if now.given else {now.hash, now.origin.read} - {""}
        alike = [one for hashed in says for one in by_hash.get(hashed, ()) if one.id not in taken]
        if says & kept or any(one.origin.file and not free(one.origin.file) for one in alike):
            plan.same += 1
            continue
        if now.given:
            alike = [one for one in alike if one.hash == now.hash]
        if not now.origin.file and alike:
            plan.same += 1
            continue
        kept |= {now.hash, now.origin.read} - {""}
        if not alike:
            plan.add.append(now)
            continue
        before = min(alike, key=lambda one: one.id)
        taken.add(before.id)
        if not now.named:
            kept.add(before.hash)
        plan.move.append((before, now))
        plan.moved += 1


def _least(new: Iterable[Seen], stored: Iterable[Known]) -> dict[Seen, Level]:
    """The strictest level that the content of each is stored with, where it is not open."""
    levels: dict[str, Level] = {}
    for one in stored:
        if one.level != "open":
            for hashed in {one.hash, one.origin.read} - {""}:
                levels[hashed] = strictest(one.level, levels.get(hashed, "open"))
    found = ((now, [levels[one] for one in (now.hash, now.origin.read) if one in levels]) for now in new)
    return {now: strictest(*own) for now, own in found if own}


def _paired(
    seen: Iterable[Seen], stored: Iterable[Known], of_both: Callable[[Origin], Place]
) -> tuple[list[tuple[Seen, Known]], list[Seen], list[Known]]:
    """Pairs of equal places in order, each once; and what is left of both."""
    waiting: dict[Place, list[Known]] = defaultdict(list)
    for one in stored:
        waiting[of_both(one.origin)].append(one)
    pairs, rest = [], []
    for now in seen:
        if there := waiting.get(of_both(now.origin)):
            pairs.append((now, there.pop(0)))
        else:
            rest.append(now)
    return pairs, rest, sorted((one for left in waiting.values() for one in left), key=lambda one: one.id)
