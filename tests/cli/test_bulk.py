"""Adding thousands of items: in batches, beside other writers, and with an end that can be told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest

from app.profiles.origin import Change
from app.profiles.store import SourceStore
from cli.running import ANNA, ROOT, done, done_json, open_store, run, written


@pytest.fixture(autouse=True)
def anna() -> None:
    done("profiles", "import", written("anna.toml", ANNA))


def count() -> int:
    with open_store() as store:
        return store.profiles.read("anna").history_count


def lines(number: int) -> str:
    return "".join(json.dumps({"text": f"note number{n}", "title": f"t{n}"}) + "\n" for n in range(number))


def test_five_thousand_lines_are_added_in_order_and_found() -> None:
    assert (
        done("history", "add", "anna", written("a.jsonl", lines(5000))) == "profile anna: added 5,000 items\n"
    )
    with open_store() as store:
        page = store.history.page("anna", limit=5000, newest_first=False)
        assert [one.item.title for one in page.items] == [f"t{n}" for n in range(5000)]
    assert [one["title"] for one in done_json("history", "search", "anna", "number4711")] == ["t4711"]


def test_a_mistake_in_the_last_of_many_lines_leaves_nothing_behind() -> None:
    result = run("history", "add", "anna", written("a.jsonl", lines(2500) + "{}"))
    assert result.exit_code == 1
    assert "a.jsonl, line 2501: text: missing" in result.stderr
    assert count() == 0


def test_ctrl_c_ends_with_whole_batches_and_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = SourceStore.apply

    def interrupted(self: SourceStore, profile_id: str, changes: Sequence[Change]) -> Counter[type[Change]]:
        if len(done_batches) == 1:
            signal.raise_signal(signal.SIGINT)  # in the middle of the second one
        done_batches.append(len(changes))
        return apply(self, profile_id, changes)

    done_batches: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(SourceStore, "apply", interrupted)
        result = run("history", "add", "anna", written("a.jsonl", lines(5000)))
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "The first 2,000 of 5,000 items are stored, the others are not.\n"
    assert count() == 2000
    assert signal.getsignal(signal.SIGINT) is before
    # Again, it goes on where it ended.
    said = done("history", "add", "anna", "a.jsonl")
    assert said == "profile anna: added 3,000 items, unchanged 2,000\n"
    assert count() == 5000


def test_a_profile_that_goes_meanwhile_is_named_with_what_was_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = SourceStore.apply

    def apply_then_erase(
        self: SourceStore, profile_id: str, changes: Sequence[Change]
    ) -> Counter[type[Change]]:
        made = apply(self, profile_id, changes)
        with open_store() as store:
            store.profiles.delete(profile_id)
        return made

    monkeypatch.setattr(SourceStore, "apply", apply_then_erase)
    result = run("history", "add", "anna", written("a.jsonl", lines(1500)))
    assert result.exit_code == 1
    assert "The first 1,000 of 1,500 items" in result.stderr
    assert "error: There is no profile 'anna'" in result.stderr


# Writes one item after another, as a server does, until its standard input ends; then says how many.
WRITER = """
import sys, threading
from pathlib import Path
from app.profiles.profile import HistoryItem
from app.profiles.store import Store

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
with Store.open(Path(sys.argv[1])) as store:
    written = 0
    while not ended.is_set():
        store.history.add("anna", [HistoryItem("", f"turn {written}", "turn")])
        written += 1
        if written == 1:
            print("writing", flush=True)
print(written)
"""


def test_another_process_writes_at_the_same_time_and_both_succeed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, os.environ["COSTEER_DATA_DIR"]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        assert "added 5,000 items" in done("history", "add", "anna", written("a.jsonl", lines(5000)))
        out, err = other.communicate(timeout=60)
    assert (other.returncode, err) == (0, "")
    assert count() == 5000 + int(out)


def test_two_commands_that_add_the_same_file_at_the_same_time_store_it_once() -> None:
    written("a.jsonl", lines(2500))
    code = "from app.cli import main; main()"
    command = [sys.executable, "-c", code, "history", "add", "anna", "a.jsonl"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    added = 0
    for process in both:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        found = re.search(r"added ([\d,]+) items?(?:, unchanged ([\d,]+))?\n", out)
        assert found is not None
        one, other = (int((number or "0").replace(",", "")) for number in found.groups())
        assert one + other == 2500
        added += one
    assert added == count() == 2500
