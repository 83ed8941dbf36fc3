"""`costeer serve` over fake models, as a file: each worker imports it, so that it has the fakes, too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fakes import LOUD_DOCUMENT, FakeLocal, FakeRemote, FakeTokenizer
from fastapi import FastAPI, Request

import app.assembly
import app.cli
import app.cli.startup
import app.cli.workers
import app.local.weights
import app.main
from app.assembly import Models
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.profiles.store import Store
from app.settings.settings import Settings

unpaced, create_app = FakeRemote.draft, app.main.create_app


async def draft(self: FakeRemote, *given: Any, **named: Any) -> AsyncIterator[Any]:
    async for position in unpaced(self, *given, **named):
        await asyncio.sleep(float(os.environ.get("SECONDS_A_TOKEN", "0.05")))
        yield position


@asynccontextmanager
async def open_models(settings: Settings, *_: object) -> AsyncIterator[Models]:
    remote = FakeRemote()
    remote.endless, remote.max_model_len = True, 10**9
    yield Models(remote, FakeLocal(), None, VocabularyMatcher(remote, FakeTokenizer()), DecodingConfig())


def with_worker(*given: Any) -> FastAPI:
    """The application, whose answers say which process has given them."""
    made = create_app(*given)

    @made.middleware("http")
    async def told(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-worker"] = str(os.getpid())
        return response

    return made


FakeRemote.draft = draft  # type: ignore[assignment,method-assign]
app.assembly.open_models = open_models  # type: ignore[assignment]
app.main.create_app = with_worker  # type: ignore[assignment]
app.local.weights.resolve = lambda name, **_: name
app.cli.startup.models = lambda settings: []
app.cli.startup.require_sharing = lambda settings: None

if __name__ == "__main__":
    app.cli.workers.LOOK_SECONDS = float(os.environ.get("SECONDS_A_LOOK", "10"))
    with Store.open(Settings().data_dir) as store:
        store.profiles.put(LOUD_DOCUMENT)
    app.cli.main()
