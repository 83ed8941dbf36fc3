"""`costeer history sync --watch`: what is saved is in the history, and nothing that happens ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli import watching
from app.cli.syncing import wanted_of
from app.cli.watching import watched
from app.errors import StoreError
from app.profiles.origin import Root
from app.profiles.store import SourceStore, Store
from app.sources.place import file_of
from cli.running import ANNA, done, open_store, started, written

PATIENCE = 30.0


def until(condition: Callable[[], bool], told: Callable[[], object] = lambda: None) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.05)


@pytest.fixture
def store() -> Iterator[Store]:
    done("profiles", "import", written("anna.toml", ANNA))
    with open_store() as store:
        yield store


def texts(store: Store) -> list[str]:
    return sorted(one.item.text for one in store.history.page("anna", limit=1000).items)


class Command:
    """The loop in a thread, over a folder that holds one file."""

    def __init__(self, store: Store, *, prune: bool = False) -> None:
        written("notes/a.md", "One.")
        self.store = store
        self._stop = threading.Event()
        roots = [Root(file_of(Path("notes")))]
        options = {"relevel": False, "prune": prune, "stop": self._stop}
        self._thread = threading.Thread(
            target=watched, args=(store, "anna", roots, wanted_of), kwargs=options
        )
        self._thread.start()
        self.until(["One."])

    def until(self, expected: list[str]) -> None:
        until(lambda: texts(self.store) == expected, lambda: texts(self.store))

    def end(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture
def command(store: Store) -> Iterator[Command]:
    command = Command(store)
    yield command
    command.end()


def test_what_is_saved_is_in_the_history(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    written("notes/b.md", "Two.")
    command.until(["One.", "Two."])
    for number in range(5):
        written("notes/a.md~", f"One, {number}.")
        Path("notes/a.md~").replace("notes/a.md")
    command.until(["One, 4.", "Two."])
    written("notes/c.jsonl", '{"text": "three"}\n{"text": "four"}\n')
    command.until(["One, 4.", "Two.", "four", "three"])
    done("history", "level", "anna", "item_2", "off")
    Path("notes/b.md").rename("notes/inner.md")
    printed = ""

    def read() -> str:
        nonlocal printed
        printed += capsys.readouterr().out
        return printed

    until(lambda: "moved    notes/inner.md" in read(), read)
    moved = command.store.history.get("anna", 2).item
    assert (moved.title, moved.disclosure) == ("inner", "off")
    Path("notes/inner.md").unlink()
    until(lambda: "vanished notes/inner.md" in read(), read)
    assert texts(command.store) == ["One, 4.", "Two.", "four", "three"]
    lines = read().splitlines()
    assert "added    notes/b.md" in lines
    assert "updated  notes/a.md" in lines
    assert "added    notes/c.jsonl (2 items)" in lines


def test_a_broken_file_and_a_failing_store_end_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written("notes/a.md", b"\xff\xfe\xfa")
    written("notes/b.md", "Two.")
    command.until(["One.", "Two."])
    with monkeypatch.context() as patched:
        failed = threading.Event()

        def locked(*_: object) -> None:
            failed.set()
            raise StoreError("another program keeps it locked")

        patched.setattr(SourceStore, "apply", locked)
        written("notes/c.md", "Three.")
        assert failed.wait(PATIENCE)
    # It is tried again without another change.
    command.until(["One.", "Three.", "Two."])
    said = capsys.readouterr().err
    assert "left out: " in said
    assert "error: another program keeps it locked" in said


def test_what_vanishes_is_erased_where_that_is_wanted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "GRACE", 0.1)
    command = Command(store, prune=True)
    try:
        written("notes/b.md", "Two.")
        command.until(["One.", "Two."])
        Path("notes/a.md").unlink()
        command.until(["Two."])
    finally:
        command.end()


def test_what_another_file_says_is_not_erased(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "GRACE", 0.1)
    command = Command(store, prune=True)
    try:
        done("history", "level", "anna", "item_1", "off")
        written("notes/copy.md", "One.")
        written("notes/b.md", "Two.")
        command.until(["One.", "Two."])
        Path("notes/a.md").unlink()

        def files() -> list[str]:
            return [Path(one.origin.file).name for one in store.sources.known("anna")]

        until(lambda: files() == ["copy.md", "b.md"], files)
        assert store.history.get("anna", 1).item.disclosure == "off"
    finally:
        command.end()


def test_a_file_that_is_deleted_and_written_anew_keeps_its_level(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watching, "GRACE", 3600.0)
    command = Command(store, prune=True)
    try:
        done("history", "level", "anna", "item_1", "off")
        written("notes/b.md", "Two.")
        command.until(["One.", "Two."])
        Path("notes/a.md").unlink()
        until(lambda: "vanished notes/a.md" in capsys.readouterr().out)
        written("notes/a.md", "One, again.")
        command.until(["One, again.", "Two."])
        assert store.history.get("anna", 1).item.disclosure == "off"
    finally:
        command.end()


def test_ctrl_c_ends_it_and_the_database_is_whole(store: Store) -> None:
    written("notes/a.md", "One.")
    command, environment = started("history sync anna notes --watch")
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "profile anna: added 1 item\n"
        assert running.stdout.readline().startswith("Watching 1 folder")
        written("notes/b.md", "Two.")
        assert running.stdout.readline() == "added    notes/b.md\n"
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out, err) == (0, "", "Watching has ended.\n")
    assert texts(store) == ["One.", "Two."]
