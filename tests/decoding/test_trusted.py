"""Draft and verify with the small model on a server: the texts are those of the same model here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from local.trusted.toy_server import URL, ToyServer, ToyTokenizer

from app.decoding.request import DecodeRequest, Token
from app.decoding.speculative import decode
from app.decoding.stats import Stats
from app.local.trusted.model import TrustedModel
from app.local.trusted.server import TrustedServer
from app.prompts.private import Contrast
from app.steering.formula import FloatArray
from app.steering.sampling import SamplingParams
from app.steering.strength import AUTO
from app.tokenization.tokenizer import Tokenizer
from decoding.test_speculative import (
    CONTRASTS,
    NAMES,
    VOCABULARY,
    ToyLocal,
    ToyRemote,
    ids,
    request,
    run,
    toy_logprobs,
)

SEEDED = SamplingParams(temperature=0.9, top_p=0.95, top_k=5, seed=11)


def distribution(prompt: Sequence[int]) -> FloatArray:
    """That of the toy local model: of the longest of its prompts that this one begins with."""
    begun = [one for one in NAMES if tuple(prompt[: len(one.ids)]) == one.ids]
    private = max(begun, key=lambda one: len(one.ids))
    logprobs = toy_logprobs(NAMES[private], prompt[len(private.ids) :])
    return logprobs.astype(np.float32).astype(np.float64)


def server(**changes: Any) -> ToyServer:
    return ToyServer(distribution, **changes)


def model(toy: ToyServer, listed: int = 6) -> TrustedModel:
    tokenizer = cast(Tokenizer, ToyTokenizer(VOCABULARY))
    return TrustedModel(TrustedServer(URL, transport=toy), tokenizer, listed)


async def written(wanted: DecodeRequest, toy: ToyServer) -> tuple[list[Token], Stats]:
    stats = Stats()
    tokens = decode(wanted, remote=ToyRemote(), local=model(toy), stats=stats)
    return [token async for token in tokens], stats


@CONTRASTS
@pytest.mark.parametrize("strength", [0.8, AUTO])
@pytest.mark.parametrize("sampling", [SamplingParams(temperature=0.0), SEEDED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("tearing", [False, True])
async def test_the_texts_are_those_of_the_same_model_in_this_process(
    contrasts: tuple[Contrast, ...], strength: Any, sampling: SamplingParams, tearing: bool
) -> None:
    wanted = request(contrasts=contrasts, strength=strength, sampling=sampling)
    here, _ = await run(wanted, ToyRemote(), ToyLocal())
    there, stats = await written(wanted, server(tearing=tearing))
    assert ids(there) == ids(here)
    assert (stats.unassisted, stats.mishap) == (0, None)
    for one, other in zip(there, here, strict=True):
        assert one.candidates.tolist() == other.candidates.tolist()
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-5)
