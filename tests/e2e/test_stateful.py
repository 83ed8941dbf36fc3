"""A small model whose layers have a state, beside the real remote: drafts, rejections and all."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from local.engine.small_models import STATEFUL, made, theirs
from transformers import AutoTokenizer

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodingConfig
from app.decoding.stats import Stats
from app.decoding.vocabulary_match import VocabularyMatcher
from app.local.engine.branch import Branch
from app.local.engine.runner import ModelRunner
from app.local.engine.scheduler import Lease
from app.local.model import LocalModel
from app.profiles.profile_file import read_profile_file
from app.prompts.message import Message
from app.remote.embedded import EmbeddedRemote
from app.steering.sampling import SamplingParams

PROFILES = Path(__file__).parents[2] / "profiles"
QUESTION = (Message("user", "Write a short invitation to dinner on Saturday."),)
T = TypeVar("T")
FAMILIES = ["qwen3_5", "granite"]


@pytest.fixture(scope="module")
def remote(bundle_path: str) -> Iterator[ModelRunner]:
    model = ModelRunner(bundle_path, dtype="float32", max_model_len=2048)
    yield model
    model.close()


class Uncached(ModelRunner):
    """Scores by transformers' own code, each sequence from its first token on."""

    def take(self, model: Any) -> None:
        self._theirs = model

    async def extend(
        self,
        lease: Lease,
        sequences: Sequence[Sequence[int]],
        keep: int,
        finish: Callable[[list[torch.Tensor]], T],
        *,
        background: bool = False,
        branches: Sequence[Sequence[Branch]] = (),
    ) -> tuple[T, int]:
        assert not any(branches)
        with torch.inference_mode():
            return finish([theirs(self._theirs, ids, keep) for ids in sequences]), 0


def folder_of(name: str, bundle_path: str, folder: Path) -> Any:
    """A model of random weights with the real one's tokenizer. Returns it in transformers' code."""
    tokenizer = AutoTokenizer.from_pretrained(bundle_path)
    config = copy.deepcopy(STATEFUL[name])
    config.vocab_size, config.max_position_embeddings = len(tokenizer), 2048
    model = made(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


async def written(remote: ModelRunner, runner: ModelRunner) -> tuple[str, Stats]:
    """A greedy reply, steered for a sample profile."""
    side = EmbeddedRemote(remote)
    config = DecodingConfig(draft_length=8, verify_batch=4, max_context_tokens=300)
    generator = Generator(side, LocalModel(runner), VocabularyMatcher(side, runner.tokenizer), config)
    order = GenerationRequest(
        model=remote.name,
        messages=QUESTION,
        sampling=SamplingParams(temperature=0),
        max_tokens=24,
        profile=read_profile_file(PROFILES / "isabel.toml").profile,
        strength=0.5,
    )
    reply = await generator.prepare(order)
    return "".join([piece.text async for piece in reply.pieces()]), reply.stats


@pytest.mark.parametrize("name", FAMILIES)
async def test_replies_are_those_of_a_scorer_without_a_cache(
    name: str, remote: ModelRunner, bundle_path: str, tmp_path: Path
) -> None:
    model = folder_of(name, bundle_path, tmp_path)
    cached = ModelRunner(str(tmp_path), dtype="float32", max_model_len=2048)
    uncached = Uncached(str(tmp_path), dtype="float32", max_model_len=2048)
    uncached.take(model)
    try:
        expected, _ = await written(remote, uncached)
        text, stats = await written(remote, cached)
        assert text == expected
        assert stats.remote_requests > 1  # drafts were rejected
        again, later = await written(remote, cached)
        assert again == expected
        assert later.found > 0
    finally:
        cached.close()
        uncached.close()
