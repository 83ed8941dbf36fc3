"""The network in 8 bits with products that are rounded too, as they are in use."""

from __future__ import annotations

import copy
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from app.local.engine.int8.decoder import Embedding, Int8Decoder
from app.local.engine.int8.network import write_network
from app.local.engine.int8.notes import EMBEDDING, computable
from app.local.engine.kv_cache import KVCache
from app.local.engine.ragged import Part
from local.engine.small_models import KNOWN, made, passed, random_ids, rounded, theirs


def decoder(model: Any, folder: Path) -> Int8Decoder:
    with torch.inference_mode():
        write_network(copy.deepcopy(model), folder)
    return Int8Decoder(folder, threads=2, longest=256)


@pytest.mark.parametrize("name", KNOWN)
def test_rounded_products_change_probabilities_little(name: str, tmp_path: Path) -> None:
    model = rounded(made(KNOWN[name]))
    ids = random_ids(60)
    [got] = passed(decoder(model, tmp_path), [Part(KVCache(), ids, 60)])
    with torch.inference_mode():
        wanted = theirs(model, ids, 60)
    assert torch.nn.functional.kl_div(got, wanted, log_target=True, reduction="batchmean") < 0.01


def test_the_decoder_keeps_no_cache_in_memory(tmp_path: Path) -> None:
    network = decoder(made(KNOWN["llama"]), tmp_path)
    cache = KVCache()
    passed(network, [Part(cache, random_ids(5), 1)])
    [buffer, *_] = cache.reserve(1, 3, 2, 16)
    held: list[weakref.ref[Any]] = [weakref.ref(cache), weakref.ref(buffer)]
    del cache, buffer
    gc.collect()
    assert [one() for one in held] == [None, None]


def test_another_cache_in_the_same_slot_is_read(tmp_path: Path) -> None:
    network = decoder(made(KNOWN["llama"]), tmp_path)
    first, second = random_ids(6), random_ids(9)
    caches = [KVCache(), KVCache()]
    for cache, ids in zip(caches, (first, second), strict=True):
        passed(network, [Part(cache, ids[:-1], 0)])
    apart = [passed(network, [Part(cache.copy(8), [7], 1)])[0] for cache in caches]
    # By turns in one slot, then in each other's, beside one another.
    for order in ((0, 1), (1, 0)):
        together = passed(network, [Part(caches[index].copy(8), [7], 1) for index in order])
        for rows, index in zip(together, order, strict=True):
            torch.testing.assert_close(rows, apart[index], atol=0.05, rtol=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_embeddings_are_kept_as_they_are(dtype: torch.dtype, tmp_path: Path) -> None:
    model = made(KNOWN["llama"]).to(dtype)
    rows = model.model.embed_tokens.weight.clone()
    with torch.inference_mode():
        write_network(model, tmp_path)
    embedding = Embedding(tmp_path / EMBEDDING, str(dtype).removeprefix("torch."), 0.5)
    assert torch.equal(torch.from_numpy(embedding([3, 96, 3])), rows[[3, 96, 3]].float() * 0.5)


def test_heads_and_activations_that_onnx_runtime_cannot_compute_are_not_computable() -> None:
    config = copy.deepcopy(KNOWN["llama"])
    assert computable(config)
    config.hidden_act = "relu"
    assert not computable(config)
    config.hidden_act, config.head_dim = "silu", 24
    assert not computable(config)


def test_a_pass_that_failed_halfway_leaves_nothing_bound(tmp_path: Path) -> None:
    class Full(KVCache):
        def reserve(self, *_wanted: int) -> list[torch.Tensor]:
            raise MemoryError

    network = decoder(made(KNOWN["llama"]), tmp_path)
    ids, cache = random_ids(6), KVCache()
    passed(network, [Part(cache, ids[:-1], 0)])
    copied = cache.copy(5)
    with pytest.raises(MemoryError):
        passed(network, [Part(KVCache(), [9], 1), Part(cache, [8], 1), Part(Full(), ids, 1)])
    for _ in range(2):
        passed(network, [Part(KVCache(), ids, 1)])
    [got], [wanted] = passed(network, [Part(cache, [7], 1)]), passed(network, [Part(copied, [7], 1)])
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("name", KNOWN)
def test_how_tokens_are_shared_among_passes_changes_nothing(name: str, tmp_path: Path) -> None:
    """The least difference in a layer's sums becomes one of 8 bits in the next: close is not near enough."""
    network = decoder(rounded(made(KNOWN[name])), tmp_path)
    ids = random_ids(24)
    [whole] = passed(network, [Part(KVCache(), ids, 24)])
    for size in (1, 2, 3, 5):
        cache, company, rows = KVCache(), KVCache(), list[torch.Tensor]()
        for start in range(0, 24, size):
            part = ids[start : start + size]
            own = Part(cache, part, len(part))
            # By turns alone, and beside a sequence of one token.
            beside = [Part(company, [7], 1)] if start % 2 else []
            rows.append(passed(network, [own, *beside])[0])
        torch.testing.assert_close(torch.cat(rows), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", KNOWN)
def test_a_pass_that_is_a_token_longer_than_whole_blocks_of_attention_changes_nothing(
    name: str, tmp_path: Path
) -> None:
    """Of the last token neither the probabilities nor what it leaves in the cache."""
    network = decoder(rounded(made(KNOWN[name])), tmp_path)
    ids = random_ids(150)
    [whole] = passed(network, [Part(KVCache(), ids, 150)])
    for held in (0, 5):
        for size in (32, 33, 64, 65, 128, 129):  # blocks have as many rows as keys and values have numbers
            cache = KVCache()
            for start, end in ((0, held), (held, held + size), (held + size, held + size + 1)):
                if start < end:
                    [rows] = passed(network, [Part(cache, ids[start:end], 1)])
                    assert torch.equal(rows[0], whole[end - 1])
