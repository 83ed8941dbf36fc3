"""A survey reads each file once, holds few texts, and takes nothing for gone that could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from app.profiles.origin import Known
from app.profiles.profile import HistoryItem
from app.sources import survey as survey_module
from app.sources.found import Found, LeftOut, Person
from app.sources.place import alike, file_of, path_of, within
from app.sources.survey import Survey, Wanted, survey
from app.sources.walk import Candidate, PassedOver, walk


class Reader:
    """A stand-in: each line of a file is an item, BROKEN one that cannot be read; GONE ends in an error."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(
        self, path: Path, person: Person, *, explicit: bool, exchanges: bool
    ) -> Iterator[Found | LeftOut]:
        self.read.append(path.name)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line == "GONE":
                raise OSError(5, "Input/output error")
            if line == "BROKEN":
                yield LeftOut("a broken line", broken=True)
            elif line == "OTHER":
                yield LeftOut("somebody else's")
            else:
                yield Found(HistoryItem("", line, source=str(path)), str(number))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("one\ntwo\n")
    (folder / "inner" / "b.txt").write_text("three\n")
    return folder


def looked(*folders: Path, known: Iterable[Known] = (), only: set[str] | None = None) -> Survey:
    return survey([Wanted(one, Person()) for one in folders], walk, Reader(), [*known], only=only)


def stored(found: Survey) -> list[Known]:
    return [Known(number, one.origin, one.hash) for number, one in enumerate(found.seen, 1)]


def test_every_file_is_read_once_in_the_order_of_the_walk(folder: Path) -> None:
    reader = Reader()
    told: list[tuple[int, int]] = []
    found = survey(
        [Wanted(one, Person()) for one in (folder, folder / "inner", folder / "a.txt")],
        walk,
        reader,
        begin=lambda files: lambda read, items: told.append((read, items)) if files == 2 else None,
    )
    assert sorted(reader.read) == ["a.txt", "b.txt"]
    assert [one.origin.part for one in found.seen if one.origin.file.endswith("a.txt")] == ["1", "2"]
    assert (sum(read for read, _ in told), sum(items for _, items in told)) == (2, 3)
    items = dict(found.items(found.seen))
    assert [items[one].text for one in found.seen] == [item.text for item in items.values()]


def test_what_holds_for_a_folder_holds_for_items_that_do_not_say_so(folder: Path) -> None:
    options = Wanted(folder, Person(), kind="turn", level="shape", prefix=f"{folder.parent}/")
    found = survey([options], walk, Reader())
    item = next(item for _, item in found.items(found.seen))
    assert (item.kind, item.disclosure, item.source) == ("turn", "shape", "notes/a.txt")


@pytest.mark.parametrize("text", ["one\nBROKEN\n", "one\nGONE\n"])
def test_a_file_that_is_broken_in_part_loses_nothing(folder: Path, text: str) -> None:
    known = stored(looked(folder))
    (folder / "a.txt").write_text(text)
    plan = looked(folder).plan(known)
    assert (plan.unchanged, plan.vanished, plan.add) == (2, [], [])
    (folder / "a.txt").write_text("one\nOTHER\n")
    assert [one.id for one in looked(folder).plan(known).vanished] == [2]


def test_a_file_that_is_there_and_not_looked_at_loses_nothing(folder: Path) -> None:
    known = stored(looked(folder))
    (folder / "templates").mkdir()
    (folder / "a.txt").rename(folder / "templates" / "a.txt")
    plan = looked(folder).plan(known)
    # Where it was it is no longer; where it is now, the walk does not look.
    assert {one.origin.file for one in plan.vanished} == {file_of(folder / "a.txt")}
    inside = [Known(9, one.origin, one.hash) for one in looked(folder / "templates").seen]
    assert looked(folder).plan(inside).vanished == []


def test_a_folder_that_cannot_be_read_loses_nothing(folder: Path) -> None:
    known = stored(looked(folder))

    def blind(paths: Iterable[Path]) -> Iterator[Candidate | PassedOver]:
        (top,) = paths
        yield PassedOver(top / "inner", LeftOut("cannot be read: Permission denied", broken=True))
        yield Candidate(top / "a.txt", explicit=False)

    (folder / "inner" / "b.txt").unlink()
    assert survey([Wanted(folder, Person())], blind, Reader()).plan(known).vanished == []
    assert len(looked(folder).plan(known).vanished) == 1


def test_a_file_that_icloud_has_taken_off_the_disk_loses_nothing(folder: Path) -> None:
    known = stored(looked(folder))
    (folder / "a.txt").rename(folder / ".a.txt.icloud")
    assert looked(folder).plan(known).vanished == []
    assert looked(folder, only={file_of(folder / "a.txt")}).plan(known).vanished == []


def test_only_what_changed_is_read_and_only_that_can_have_vanished(folder: Path) -> None:
    known = stored(looked(folder))
    (folder / "a.txt").unlink()
    (folder / "inner" / "b.txt").unlink()
    (folder / "c.txt").write_text("four\n")
    changed = {file_of(folder / "c.txt"), file_of(folder / "inner")}
    found = looked(folder, only=changed)
    plan = found.plan(known)
    assert [one.origin.file for one in plan.add] == [file_of(folder / "c.txt")]
    assert [one.origin.file for one in plan.vanished] == [file_of(folder / "inner" / "b.txt")]


def test_texts_beyond_a_bound_are_read_again_and_those_that_are_stored_are_not_held(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound, again in ((1000, 0), (4, 2)):
        monkeypatch.setattr(survey_module, "HELD", bound)
        reader = Reader()
        found = survey([Wanted(folder, Person())], walk, reader)
        texts = [item.text for _, item in found.items(found.seen)]
        assert sorted(texts) == ["one", "three", "two"]
        assert len(reader.read) == 2 + again
    # A file that has changed between the two readings gives what it said the first time, or nothing.
    found = survey([Wanted(folder, Person())], walk, Reader())
    (folder / "a.txt").write_text("one\nelse\n")
    assert sorted(item.text for _, item in found.items(found.seen)) == ["one", "three"]


def test_names_of_files_that_are_no_text_come_back(tmp_path: Path) -> None:
    path = tmp_path.resolve() / "caf\udce9.txt"
    file_of(path).encode()
    assert path_of(file_of(path)) == path


def test_paths_that_differ_in_case_are_one_where_the_disk_has_it_so(tmp_path: Path) -> None:
    lower, upper, other = (str(tmp_path / name) for name in ("caf\u00e9", "Cafe\u0301", "CAF\u00c9"))
    Path(lower).write_text("x")
    assert alike(lower, lower)
    assert not alike(lower, upper)
    Path(upper).hardlink_to(lower)
    assert alike(lower, upper)
    Path(other).write_text("x")
    assert not alike(lower, other)


def test_what_lies_within_what() -> None:
    assert within("/a/b/c", "/a/b")
    assert within("/a/b", "/a/b")
    assert within("/a", "/")
    assert not within("/a/bc", "/a/b")
