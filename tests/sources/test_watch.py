"""Changes in folders are told of, however files are saved and wherever the folders have been."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from watchfiles import watch

from app.sources import watch as watch_module
from app.sources.place import file_of
from app.sources.watch import changes

PATIENCE = 30.0


class Watching:
    """Collects what changes, in a thread of its own."""

    def __init__(self, roots: list[Path]) -> None:
        self.seen: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(roots,))
        self._thread.start()

    def _run(self, roots: list[Path]) -> None:
        for batch in changes(roots, self._stop):
            self.seen += sorted(batch)

    def until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """What was seen since the last call, once it fulfils the condition."""
        end = time.monotonic() + PATIENCE
        while not condition(self.seen):
            assert time.monotonic() < end, self.seen
            time.sleep(0.02)
        seen, self.seen = self.seen, []
        return seen

    def end(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.md").write_text("one")
    return folder


@pytest.fixture(params=["system", "polling"])
def watching(
    folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watching]:
    if request.param == "polling":
        monkeypatch.setattr(watch_module, "watch", _without_system)
    watching = Watching([folder])
    watching.until(lambda seen: file_of(folder) in seen)
    yield watching
    watching.end()


def _without_system(*roots: Path, force_polling: bool | None, **options: Any) -> Any:
    if not force_polling:
        raise OSError(28, "OS file watch limit reached.")
    return watch(*roots, force_polling=True, **options)


def test_the_folders_come_first_then_each_file_that_is_saved(folder: Path, watching: Watching) -> None:
    (folder / "inner" / "b.md").write_text("two")
    watching.until(lambda seen: file_of(folder / "inner" / "b.md") in seen)
    # As editors save: beside it, and then in its place.
    (folder / "a.md~").write_text("three")
    (folder / "a.md~").replace(folder / "a.md")
    watching.until(lambda seen: file_of(folder / "a.md") in seen)
    (folder / "a.md").unlink()
    watching.until(lambda seen: file_of(folder / "a.md") in seen)
    (folder / "a.md").write_text("four")
    watching.until(lambda seen: file_of(folder / "a.md") in seen)


def test_hidden_files_are_passed_over(folder: Path, watching: Watching) -> None:
    (folder / ".obsidian").mkdir()
    (folder / ".obsidian" / "workspace.json").write_text("{}")
    (folder / "last.md").write_text("x")
    seen = watching.until(lambda seen: file_of(folder / "last.md") in seen)
    assert not [one for one in seen if ".obsidian" in one]


def test_a_folder_that_goes_and_comes_back_is_read_anew(folder: Path) -> None:
    watching = Watching([folder])
    try:
        watching.until(lambda seen: file_of(folder) in seen)
        shutil.move(folder, folder.with_name("elsewhere"))
        time.sleep(0.1)
        shutil.move(folder.with_name("elsewhere"), folder)
        (folder / "c.md").write_text("three")
        watching.until(lambda seen: file_of(folder) in seen or file_of(folder / "c.md") in seen)
        shutil.rmtree(folder)
        watching.until(lambda seen: True)
        folder.mkdir()
        (folder / "d.md").write_text("four")
        watching.until(lambda seen: file_of(folder) in seen or file_of(folder / "d.md") in seen)
        (folder / "e.md").write_text("five")
        watching.until(lambda seen: bool({file_of(folder), file_of(folder / "e.md")} & set(seen)))
    finally:
        watching.end()


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    watching = Watching([tmp_path / "disk"])
    try:
        time.sleep(0.1)
        (tmp_path / "disk").mkdir()
        assert watching.until(bool) == [file_of(tmp_path / "disk")]
    finally:
        watching.end()
