"""A plan says what to do so that a history says what files say; done once, there is nothing left to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from app.profiles.origin import Known, Origin
from app.sources.sync import Plan, Seen, planned

FILES, PARTS, HASHES = "abc", ["", "1", "2"], "uvwxyz"
# Files that are looked at, those that cannot be read this time, and those that are no longer there.
LOOKED_AT, UNREAD, GONE = {"a", "b"}, {"b"}, {"z"}


def under_name(origin: Origin) -> str:
    """The hash of what a file says, with the file's name as its title."""
    return f"{origin.read} of {origin.file}"


origins = st.builds(Origin, st.sampled_from(FILES + "z"), st.sampled_from(PARTS), st.sampled_from(HASHES))
named = origins.map(lambda one: (one, under_name(one)))
contents = st.one_of(st.tuples(st.one_of(st.just(Origin()), origins), st.sampled_from(HASHES)), named)


@st.composite
def seen_ones(draw: st.DrawFn) -> list[Seen]:
    """What is read: as the file says it, under the file's name, or under a title of the person's own."""
    every = []
    for origin in draw(st.lists(origins, max_size=8)):
        there = replace(origin, file=draw(st.sampled_from(sorted(LOOKED_AT))))
        kind = draw(st.sampled_from(["said", "named", "given"]))
        own = {"said": there.read, "named": under_name(there), "given": draw(st.sampled_from(HASHES))}[kind]
        every.append(Seen(there, own, named=kind == "named", given=kind == "given"))
    return list({one.origin: one for one in every}.values())


@st.composite
def histories(draw: st.DrawFn) -> list[Known]:
    every = draw(st.lists(contents, max_size=8))
    return [Known(number, origin, hashed) for number, (origin, hashed) in enumerate(every)]


@dataclass
class History:
    """What is stored, and the files as they are read now."""

    stored: list[Known]
    seen: list[Seen]
    pruned: set[int] = field(default_factory=set)

    def plan(self) -> Plan:
        read = {one.origin.file for one in self.seen}

        def absent(file: str) -> bool:
            return file in GONE or (file in LOOKED_AT - read)

        def vanished(file: str) -> bool:
            return file in LOOKED_AT - UNREAD and (file in read or absent(file))

        return planned(self.stored, self.seen, vanished=vanished, absent=absent)

    def apply(self, plan: Plan, *, prune: bool) -> None:
        by_id = {one.id: one for one in self.stored}
        for before, now in plan.replace:
            by_id[before.id] = replace(before, origin=now.origin, hash=now.hash)
        for before, now in plan.move:
            retitled = now.named and before.hash == under_name(before.origin)
            hashed = under_name(now.origin) if retitled else before.hash
            by_id[before.id] = replace(before, origin=now.origin, hash=hashed)
        for one in plan.vanished if prune else ():
            del by_id[one.id]
        first = 1 + max((one.id for one in self.stored), default=0)
        self.stored = [*by_id.values()]
        self.stored += [Known(first + n, one.origin, one.hash) for n, one in enumerate(plan.add)]


@given(histories(), seen_ones(), st.booleans())
def test_a_second_time_nothing_is_left_to_do(stored: list[Known], seen: list[Seen], prune: bool) -> None:
    history = History(stored, seen)
    first = history.plan()
    history.apply(first, prune=prune)
    second = history.plan()
    assert (second.add, second.replace, second.move, second.moved) == ([], [], [], 0)
    assert second.vanished == ([] if prune else first.vanished)


@given(histories(), seen_ones())
def test_all_that_is_read_is_stored_and_nothing_else_is_lost(stored: list[Known], seen: list[Seen]) -> None:
    history = History(stored, seen)
    plan = history.plan()
    history.apply(plan, prune=False)
    assert {one.id for one in stored} <= {one.id for one in history.stored}
    # A content that a file no longer says gives way to what it says now; any other stays.
    changed = {before.id for before, _ in plan.replace} | {one.id for one, now in plan.move if now.named}
    kept = {(one.id, one.hash) for one in history.stored}
    assert all((one.id, one.hash) in kept for one in stored if one.id not in changed)
    known = {hashed for one in history.stored for hashed in (one.hash, one.origin.read)}
    assert all({one.hash, one.origin.read} & known if not one.given else one.hash in known for one in seen)


@given(histories(), seen_ones())
def test_nothing_of_a_file_that_was_not_read_vanishes(stored: list[Known], seen: list[Seen]) -> None:
    plan = History(stored, seen).plan()
    assert {one.origin.file for one in plan.vanished} <= LOOKED_AT - UNREAD


@given(histories(), seen_ones())
def test_every_item_that_is_read_is_counted_once(stored: list[Known], seen: list[Seen]) -> None:
    plan = History(stored, seen).plan()
    assert len(plan.add) + len(plan.replace) + plan.unchanged + plan.moved + plan.same == len(seen)
    changed = [before.id for before, _ in (*plan.replace, *plan.move)] + [one.id for one in plan.vanished]
    assert len(changed) == len(set(changed))


def seen(file: str, part: str, content: str) -> Seen:
    return Seen(Origin(file, part, content), content)


def known(item_id: int, file: str, part: str, content: str, now: str = "") -> Known:
    return Known(item_id, Origin(file, part, content), now or content)


def test_a_new_first_line_does_not_give_its_place_to_the_second() -> None:
    stored = [known(1, "a", "1", "u"), known(2, "a", "2", "v")]
    plan = History(stored, [seen("a", "1", "new"), seen("a", "2", "u"), seen("a", "3", "v")]).plan()
    assert [one.hash for one in plan.add] == ["new"]
    assert [(before.id, now.origin.part) for before, now in plan.move] == [(1, "2"), (2, "3")]
    assert (plan.unchanged, plan.moved, plan.replace, plan.vanished) == (2, 0, [], [])


def test_a_file_under_another_name_takes_its_item_along() -> None:
    plan = History([known(1, "b", "", "u")], [seen("a", "", "u")]).plan()
    assert ([before.id for before, _ in plan.move], plan.moved, plan.add) == ([1], 1, [])


def test_what_was_typed_in_belongs_to_the_file_that_says_it_too() -> None:
    plan = History([Known(1, Origin(), "u")], [seen("a", "", "u")]).plan()
    assert ([before.id for before, _ in plan.move], plan.add, plan.same) == ([1], [], 0)


def test_a_copy_is_not_stored_again_until_it_differs() -> None:
    history = History([known(1, "a", "", "u")], [seen("a", "", "u"), seen("b", "", "u")])
    assert (history.plan().unchanged, history.plan().same) == (1, 1)
    # The first is edited: the copy is now the only one that says what it says.
    history.seen = [seen("a", "", "v"), seen("b", "", "u")]
    plan = history.plan()
    assert ([before.id for before, _ in plan.replace], [one.hash for one in plan.add]) == ([1], ["u"])


def test_a_correction_by_hand_stays_until_the_file_changes() -> None:
    history = History([known(1, "a", "", "u", now="by hand")], [seen("a", "", "u")])
    assert (history.plan().unchanged, history.plan().changes) == (1, 0)
    history.seen = [seen("a", "", "v")]
    assert [(before.id, now.hash) for before, now in history.plan().replace] == [(1, "v")]


def test_a_title_that_is_named_counts_once() -> None:
    titled = Seen(Origin("a", "", "u"), "u, titled", given=True)
    history = History([known(1, "a", "", "u")], [titled])
    plan = history.plan()
    assert [before.id for before, _ in plan.replace] == [1]
    history.apply(plan, prune=False)
    assert (history.plan().unchanged, history.plan().changes) == (1, 0)
    # Read again without it, the file has not changed, so the title stays.
    history.seen = [seen("a", "", "u")]
    assert (history.plan().unchanged, history.plan().changes) == (1, 0)


def test_content_takes_its_level_along_when_files_change_names() -> None:
    stored = [replace(known(1, "a", "", "u"), level="off"), known(2, "b", "", "v")]
    swapped = [Seen(Origin("a", "", "v"), "v"), Seen(Origin("b", "", "u"), "u")]
    plan = planned(stored, swapped, vanished=bool, absent=lambda _: False)
    assert [(before.id, now) for before, now in plan.replace] == [(1, swapped[0]), (2, swapped[1])]
    assert plan.least == {swapped[1]: "off"}
    followed = [Seen(Origin("a", "", "w"), "w"), Seen(Origin("c", "", "u"), "u2", named=True)]
    plan = planned(stored, followed, vanished=bool, absent=lambda _: False)
    assert (plan.add, plan.least) == ([followed[1]], {followed[1]: "off"})


def test_levels_stay_unless_one_is_wanted() -> None:
    stored = [replace(known(1, "a", "", "u"), level="off")]
    now = [Seen(Origin("a", "", "u"), "u", "shape")]
    for relevel, expected in ((False, (1, [])), (True, (0, [1]))):
        plan = planned(stored, now, vanished=bool, absent=bool, relevel=relevel)
        assert (plan.unchanged, [before.id for before, _ in plan.relevel]) == expected
