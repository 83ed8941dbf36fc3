"""Processes that open, migrate and write to one store at once wait for each other and lose nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.profiles.store import Store
from app.profiles.terms import terms

ROOT = Path(__file__).resolve().parents[3]
ROUNDS = 12
WRITER = f"""
import sys
from dataclasses import replace
from contextlib import suppress
from pathlib import Path
from app.errors import ProfileExists
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.store import Store

folder, me = Path(sys.argv[1]), sys.argv[2]
for number in range({ROUNDS}):
    with Store.open(folder) as store:
        with suppress(ProfileExists):
            store.profiles.create(ProfileDocument(Profile("shared", "x")))
        store.profiles.put(ProfileDocument(Profile(me, "x"), (HistoryItem("", f"put {{number}}"),)))
        items = [HistoryItem("", text) for text in ("changing", "deleted", "staying")]
        one, two, three = store.history.add(me, items)
        store.history.update(me, one.id, lambda item: replace(item, text="changed"))
        store.history.delete(me, [two.id])
        store.profiles.update(me, lambda old: replace(old, is_default=not old.is_default))
        key, secret = store.keys.create("k", me)
        assert store.keys.identify(secret)
        store.keys.delete(key.id)
        texts = [one.item.text for one in store.history.page(me).items]
        assert texts == ["staying", "changed", f"put {{number}}"]
        store.history.add("shared", [HistoryItem("", f"{{me}}x{{number}}")])
"""


def test_processes_open_migrate_and_write_at_once(tmp_path: Path) -> None:
    # The database does not exist yet, so all of them race to create and migrate it as well.
    names = ["a1", "b2", "c3"]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name], stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        for name in names
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    with Store.open(tmp_path) as store:
        assert {one.profile.id for one in store.profiles.list()} == {*names, "shared"}
        assert sum(one.profile.is_default for one in store.profiles.list()) <= 1
        items = store.history.page("shared", limit=1000).items
        words = {f"{name}x{number}" for name in names for number in range(ROUNDS)}
        assert {one.item.text for one in items} == words
        assert len(items) == len(words)
        for one in items:
            found = store.history.search("shared", [(1.0, terms(one.item.text))], 5)
            assert [hit.stored.id for hit in found] == [one.id]
    assert b"deleted" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
