"""The proxy over fake models: in this process, and on a real port."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import JOINED, LOUD_DOCUMENT, FakeCaches, FakeLocal, FakeRemote, FakeTokenizer
from fastapi import FastAPI
from hypothesis import settings
from real_port import behind_a_port

from app.api.dependencies import Parts
from app.api.responses.stored import StoredResponses
from app.decoding.cache_sweeper import Sweeper
from app.decoding.generator import Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.decoding.warmup import Warmer
from app.main import create_app
from app.profiles.profile import ProfileDocument
from app.profiles.shelf import MemoryShelves
from app.profiles.store import Store
from app.prompts.retrieval import Retriever
from app.settings.settings import Settings

# A busy machine is no mistake: no test asserts a duration, and so does none of hypothesis's.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@dataclass
class Proxy:
    """The application, a client to it, and the fakes behind it."""

    app: FastAPI
    client: httpx.AsyncClient
    remote: FakeRemote
    local: FakeLocal
    store: Store
    warmer: Warmer
    caches: FakeCaches
    shelves: MemoryShelves

    async def chat(self, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """POST a valid, greedy request with `fields` changed; None removes one."""
        body = {
            "model": "fake-model",
            "messages": [{"role": "user", "content": "Say hello."}],
            "temperature": 0,
            **fields,
        }
        body = {name: value for name, value in body.items() if value is not None}
        return await self.client.post("/v1/chat/completions", json=body, headers=headers)

    async def text(self, **fields: Any) -> str:
        response = await self.chat(**fields)
        assert response.status_code == 200, response.text
        content: str = response.json()["choices"][0]["message"]["content"]
        return content


@pytest.fixture(autouse=True, scope="session")
def no_config_file() -> Iterator[None]:
    """No test reads the config.toml of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSTEER_CONFIG", "none")
        yield


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No setting from this shell, or from a file; gives the empty working folder."""
    for name in list(os.environ):
        if name.upper().startswith("COSTEER_") and name != "COSTEER_CONFIG":
            monkeypatch.delenv(name)
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def config() -> DecodingConfig:
    return DecodingConfig(max_model_len=8192, draft_length=6)


@pytest.fixture
async def proxy(tmp_path: Path, clean_environment: Path, config: DecodingConfig) -> AsyncIterator[Proxy]:
    remote, local = FakeRemote(), FakeLocal()
    with Store.open(tmp_path / "data") as store:
        store.profiles.put(LOUD_DOCUMENT)
        store.profiles.put(ProfileDocument(JOINED))
        generator, retriever = (
            Generator(remote, local, VocabularyMatcher(remote, FakeTokenizer()), config),
            Retriever(store.history, 5),
        )
        warmer = Warmer(store.profiles.get, generator.warm)
        caches = FakeCaches()
        shelves = MemoryShelves()
        responses = StoredResponses(shelves.responses)
        sweeper = Sweeper(store, [caches], retriever, warmer.soon, shelves)
        parts = Parts(
            generator,
            store,
            retriever,
            strength=0.5,
            remote=remote,
            warmer=warmer,
            sweeper=sweeper,
            responses=responses,
        )
        app = create_app(Settings(), parts)
        transport = httpx.ASGITransport(app)
        async with (
            warmer.running([]),
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            yield Proxy(app, client, remote, local, store, warmer, caches, shelves)


@pytest.fixture
async def base_url(proxy: Proxy) -> AsyncIterator[str]:
    """The same proxy behind a real port."""
    async with behind_a_port(proxy.app, lifespan="off") as url:
        yield f"{url}/v1"
