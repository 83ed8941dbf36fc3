"""Real models and a real vLLM, each started once for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.local.engine.runner import ModelRunner
from app.local.weights import resolve
from app.settings.settings import Settings
from e2e.vllm_server import VLLMServer, serve_vllm

BUNDLE = "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def bundle_path() -> str:
    """The smallest bundle, as a transformers folder; pulled where it is not in the cache yet."""
    settings = Settings()
    return resolve(BUNDLE, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir)


@pytest.fixture(scope="session")
def vllm(bundle_path: str) -> Iterator[VLLMServer]:
    with serve_vllm(bundle_path) as server:
        yield server


@pytest.fixture(scope="session")
def local_runner(bundle_path: str) -> Iterator[ModelRunner]:
    """The local model of all tests that need a vLLM."""
    runner = ModelRunner(bundle_path, leave_a_core=True)
    yield runner
    runner.close()
