"""What is on the disk, while other processes write there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.local.weights import disk


def test_the_size_of_a_folder_is_that_of_its_files_and_of_nothing_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process moves its unfinished downloads meanwhile."""
    (tmp_path / "part").mkdir()
    (tmp_path / "one").write_bytes(b"x" * 3)
    (tmp_path / "part/two").write_bytes(b"x" * 5)
    assert disk.size_of(tmp_path) == 8
    assert disk.size_of(tmp_path / "one") == 3
    assert disk.size_of(tmp_path / "none") == 0
    walk = os.walk

    def meanwhile(top: Path, **named: Any) -> Iterator[Any]:
        for found in walk(top, **named):
            (tmp_path / "part/two").unlink(missing_ok=True)
            yield found

    monkeypatch.setattr(os, "walk", meanwhile)
    assert disk.size_of(tmp_path) == 3
