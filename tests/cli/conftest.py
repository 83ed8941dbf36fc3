"""Every command runs in an empty working folder, with data and weights of the test's own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folders(clean_environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Apart from the user's own; and the handler that `serve` sets is taken back."""
    monkeypatch.setenv("COSTEER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COSTEER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)
