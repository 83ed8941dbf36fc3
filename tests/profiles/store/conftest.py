"""A store in an empty folder, and a look at the bytes on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.profiles.store import Store

# What a test calls to read all bytes in the store's folder.
Bytes = Callable[[], bytes]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


@pytest.fixture
def on_disk(store: Store) -> Bytes:
    return lambda: b"".join(path.read_bytes() for path in sorted(store.path.parent.iterdir()))
