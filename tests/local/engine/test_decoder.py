"""The engine's own decoders compute what transformers does, in every family they know, over ragged caches."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import Gemma2Config, LlamaConfig, MistralConfig, Olmo2Config

from app.local.engine.attention import FEW
from app.local.engine.branch import Branch
from app.local.engine.decoder import Decoder
from app.local.engine.families import known
from app.local.engine.int8.decoder import Int8Decoder
from app.local.engine.int8.graph import EXACT
from app.local.engine.int8.network import write_network
from app.local.engine.int8.notes import SLOTS
from app.local.engine.kv_cache import KVCache
from app.local.engine.linear import PackedLinear, can_pack
from app.local.engine.loading import Forward
from app.local.engine.ragged import Part
from local.engine.small_models import (
    KNOWN,
    SHAPE,
    VOCABULARY,
    close,
    made,
    passed,
    random_ids,
    rounded,
    theirs,
)

LONGEST = 256
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
UNKNOWN = {
    "another family": Olmo2Config(**SHAPE),
    "frequencies that vary": LlamaConfig(**SHAPE, rope_parameters=DYNAMIC),
    "a window in every layer": MistralConfig(**SHAPE, sliding_window=4),
    "capped logits": Gemma2Config(**SHAPE, layer_types=["full_attention"] * 3),
}


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(params=["torch", "int8"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], tuple[Any, Forward]]:
    """A model in transformers' code, and a decoder of the same weights."""

    def make(name: str) -> tuple[Any, Forward]:
        model = made(KNOWN[name])
        assert known(model)
        if request.param == "torch":
            return model, Decoder(copy.deepcopy(model))
        rounded(model)
        write_network(copy.deepcopy(model), tmp_path, EXACT)
        return model, Int8Decoder(tmp_path, threads=2, longest=LONGEST)

    return make


@pytest.mark.parametrize("name", KNOWN)
def test_a_sequence_in_passes_of_all_sizes_gets_transformers_logprobs(
    both: Callable[[str], tuple[Any, Forward]], name: str
) -> None:
    model, decoder = both(name)
    ids, other = random_ids(2 * FEW + 30), random_ids(FEW + 9)
    cache, beside = KVCache(), KVCache()
    got = []
    for start, end in ((0, FEW + 5), (FEW + 5, FEW + 6), (FEW + 6, FEW + 9), (FEW + 9, len(ids))):
        part = Part(cache, ids[start:end], end - start)
        # At first alone, as a prompt is, then with another sequence of another length beside it.
        parts = [part] if not start else [Part(beside, other[len(beside.tokens) :][: start // 4], 1), part]
        got.append(passed(decoder, parts)[-1])
    close(torch.cat(got), theirs(model, ids, len(ids)))
    assert cache.tokens == ids
    [last] = passed(decoder, [Part(beside, [5], 1)])
    close(last, theirs(model, beside.tokens, 1))


@pytest.mark.parametrize("name", KNOWN)
def test_rollback_copy_and_branches_leave_transformers_logprobs(
    both: Callable[[str], tuple[Any, Forward]], name: str
) -> None:
    """Branches leave what is cached, what is new, and the end; what is copied is written on separately."""
    model, decoder = both(name)
    ids, new = random_ids(20), random_ids(6)
    cache = KVCache()
    passed(decoder, [Part(cache, ids, 1)])
    branches = [Branch(12, [1, 2, 3]), Branch(23, [4, 5]), Branch(26, [6])]
    [got] = passed(decoder, [Part(cache, new, 2, branches)])
    whole = [*ids, *new]
    wanted = [theirs(model, whole, 2)]
    wanted += [theirs(model, [*whole[: one.start], *one.ids], len(one.ids)) for one in branches]
    close(got, torch.cat(wanted))
    copied = cache.copy(22)
    cache.rollback(15)
    for one, more in ((copied, [7, 8]), (cache, [9])):
        close(passed(decoder, [Part(one, more, 1)])[0], theirs(model, one.tokens, 1))
    assert (copied.tokens, cache.tokens) == ([*whole[:22], 7, 8], [*whole[:15], 9])


@pytest.mark.parametrize("name", KNOWN)
def test_in_bfloat16_it_errs_no_more_than_transformers(name: str) -> None:
    model = made(KNOWN[name])
    ids = random_ids(64)
    exact = theirs(model, ids, 64)
    model.to(torch.bfloat16)
    own = (theirs(model, ids, 64) - exact).square().mean().sqrt()
    [got] = passed(Decoder(model), [Part(KVCache(), ids, 64)])
    assert (got - exact).square().mean().sqrt() < 1.25 * own


def test_a_prompt_computed_for_nothing_but_its_cache_gives_no_rows(
    both: Callable[[str], tuple[Any, Forward]],
) -> None:
    model, decoder = both("llama")
    ids, cache = random_ids(9), KVCache()
    for start, end in ((0, 2), (2, 8)):
        [nothing] = passed(decoder, [Part(cache, ids[start:end], 0)])
        assert nothing.shape == (0, VOCABULARY)
    close(passed(decoder, [Part(cache, ids[8:], 1)])[0], theirs(model, ids, 1))


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_branches_in_the_first_pass_of_a_sequence_are_at_their_own_positions(
    both: Callable[[str], tuple[Any, Forward]], name: str
) -> None:
    model, decoder = both(name)
    ids, other = random_ids(20), random_ids(5)
    branches = [Branch(19, [5, 6]), Branch(3, [7]), Branch(20, [8])]
    got, beside = passed(decoder, [Part(KVCache(), ids, 2, branches), Part(KVCache(), other, 1)])
    wanted = [theirs(model, ids, 2)]
    wanted += [theirs(model, [*ids[: one.start], *one.ids], len(one.ids)) for one in branches]
    close(got, torch.cat(wanted))
    close(beside, theirs(model, other, 1))


def test_branches_have_room_at_the_end_of_the_longest_sequence(
    both: Callable[[str], tuple[Any, Forward]],
) -> None:
    model, decoder = both("llama")
    ids, cache = random_ids(LONGEST - 1), KVCache()
    passed(decoder, [Part(cache, ids[:-1], 0)])
    [got] = passed(
        decoder, [Part(cache, ids[-1:], 1, [Branch(LONGEST - 1, [number]) for number in range(4)])]
    )
    wanted = [theirs(model, ids, 1), *(theirs(model, [*ids, number], 1) for number in range(4))]
    close(got, torch.cat(wanted))


def test_more_sequences_than_a_pass_takes_get_what_each_gets_alone(
    both: Callable[[str], tuple[Any, Forward]],
) -> None:
    model, decoder = both("qwen2")
    texts = [random_ids(3 + number) for number in range(2 * SLOTS + 1)]
    caches = [KVCache() for _ in texts]
    passed(decoder, [Part(cache, ids[:-2], 0) for cache, ids in zip(caches, texts, strict=True)])
    got = passed(decoder, [Part(cache, ids[-2:], 2) for cache, ids in zip(caches, texts, strict=True)])
    for rows, ids in zip(got, texts, strict=True):
        close(rows, theirs(model, ids, 2))


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_it_would_compute_otherwise_is_not_known(name: str) -> None:
    assert not known(made(UNKNOWN[name]))


def test_a_layer_that_was_added_or_replaced_is_not_known() -> None:
    model = made(KNOWN["llama"])
    model.model.layers[1].self_attn.extra = nn.Linear(4, 4)
    assert not known(model)
    model = made(KNOWN["llama"])
    model.model.layers[1].mlp.up_proj = nn.Sequential(model.model.layers[1].mlp.up_proj)
    assert not known(model)


def test_weights_that_were_taken_over_are_freed() -> None:
    if not can_pack(torch.empty(1)):
        pytest.skip("this build of torch packs no weights")
    model = made(KNOWN["qwen2"])
    weights = [weakref.ref(m.weight) for m in model.modules() if type(m) is nn.Linear]
    decoder = Decoder(model)
    gc.collect()
    assert weights
    assert not [weight for weight in weights if weight() is not None]
    # Four products a layer, and the output matrix.
    assert sum(isinstance(module, PackedLinear) for module in decoder.modules()) == 3 * 4 + 1
