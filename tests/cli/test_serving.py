"""What a start says of the server of the small model."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from app.cli import serving
from app.decoding.generator import Generator
from app.errors import CoSteerError, TrustedUnavailable, TrustedUnfit


class OnAServer:
    """A generator whose small model is on a server; without an `error` it never answers."""

    def __init__(self, error: CoSteerError | None) -> None:
        self._error = error

    async def try_local(self) -> None:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()


def on_a_server(error: CoSteerError | None) -> Generator:
    return cast(Generator, OnAServer(error))


async def test_a_server_that_has_to_be_changed_refuses_the_start() -> None:
    with pytest.raises(TrustedUnfit, match="Set it"):
        await serving._tried(on_a_server(TrustedUnfit("Set it.")))


async def test_one_that_is_away_or_silent_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await serving._tried(on_a_server(TrustedUnavailable("Start it."))) == ["warning: Start it."]
    monkeypatch.setattr(serving, "TRIAL_SECONDS", 0.01)
    (note,) = await serving._tried(on_a_server(None))
    assert note.startswith("warning: ") and "silent" in note
