"""What the generator is asked for."""

from __future__ import annotations

import pytest

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.reply import Reply


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[GenerationRequest]:
    """Every request that the generator is given."""
    given: list[GenerationRequest] = []
    prepare = Generator.prepare

    async def watched(self: Generator, generation: GenerationRequest) -> Reply:
        given.append(generation)
        return await prepare(self, generation)

    monkeypatch.setattr(Generator, "prepare", watched)
    return given
