"""Models in transformers' code, over ragged caches: their windows, and what of them is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from transformers import BloomConfig, GptOssConfig, Olmo2Config, Qwen3NextConfig, RecurrentGemmaConfig

from app.local.engine.branch import Branch
from app.local.engine.families import known
from app.local.engine.foreign import ATTENTION, ForeignDecoder
from app.local.engine.kv_cache import KVCache
from app.local.engine.ragged import Part
from app.local.engine.trial import objection
from local.engine.small_models import FOREIGN, SHAPE, close, made, passed, random_ids, theirs

CPU = torch.device("cpu")
PADDED = SHAPE | {"pad_token_id": 0}
REFUSED = {
    "sinks": GptOssConfig(**PADDED, head_dim=32, num_local_experts=2),
    "states of another kind": RecurrentGemmaConfig(**SHAPE),
    "states under another name": Qwen3NextConfig(
        **PADDED, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32
    ),
    "attention of its own": BloomConfig(vocab_size=97, hidden_size=32, n_layer=2, n_head=2),
}


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    """With one thread: two would wait for each other at each of many small operations."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["another family", *FOREIGN])
def test_a_family_it_does_not_know_runs_in_transformers_code(name: str) -> None:
    config = FOREIGN.get(name) or Olmo2Config(**SHAPE)
    model, decoder = made(config), ForeignDecoder(made(config, ATTENTION))
    assert not known(model)
    assert objection(decoder, model.config, CPU) is None
    ids, new, other = random_ids(50), random_ids(3), random_ids(9)
    cache = KVCache()
    passed(decoder, [Part(cache, ids, 1)])
    branches = [Branch(40, [1, 2]), Branch(52, [3])]
    got, beside = passed(decoder, [Part(cache, new, 2, branches), Part(KVCache(), other, 9)])
    whole = [*ids, *new]
    wanted = [theirs(model, [*whole[: one.start], *one.ids], len(one.ids)) for one in branches]
    close(got, torch.cat([theirs(model, whole, 2), *wanted]))
    close(beside, theirs(model, other, 9))
    copied = cache.copy(45)
    close(passed(decoder, [Part(copied, new, 1)])[0], theirs(model, [*ids[:45], *new], 1))


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_computed_otherwise_is_refused(name: str) -> None:
    model = made(REFUSED[name], ATTENTION)
    assert objection(ForeignDecoder(model), model.config, CPU) is not None


def test_windows_other_than_the_configuration_s_are_refused() -> None:
    model = made(FOREIGN["gemma2"], ATTENTION)
    decoder = ForeignDecoder(model)
    model.config.sliding_window = 9
    told = objection(decoder, model.config, CPU)
    assert told is not None
    assert "windows" in told
