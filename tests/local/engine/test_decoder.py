"""The engine's own decoder computes what transformers does, in every family it knows, over ragged caches."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Qwen2Config,
    Qwen3Config,
)

from app.local.engine.attention import FEW
from app.local.engine.branch import Branch
from app.local.engine.decoder import Decoder
from app.local.engine.families import known
from app.local.engine.foreign import ATTENTION, ForeignDecoder
from app.local.engine.kv_cache import KVCache
from app.local.engine.linear import PackedLinear, can_pack
from app.local.engine.ragged import Part, RaggedBatch

VOCABULARY = 97
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
WINDOWS = ["sliding_attention", "full_attention", "sliding_attention"]
KNOWN = {
    "llama": LlamaConfig(**SHAPE),
    "llama, tied": LlamaConfig(**SHAPE | {"tie_word_embeddings": True}),
    "llama, llama3 rope": LlamaConfig(**SHAPE, rope_parameters=LLAMA3),
    "llama, biases and wide heads": LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True, head_dim=16),
    "llama, one head a group": LlamaConfig(**SHAPE | {"num_key_value_heads": 6}),
    "mistral": MistralConfig(**SHAPE, sliding_window=None),
    "qwen2": Qwen2Config(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE, head_dim=16),
    "gemma": GemmaConfig(**SHAPE | {"tie_word_embeddings": True}, head_dim=16),
    "gemma3": Gemma3TextConfig(**SHAPE, head_dim=16, sliding_window=7, layer_types=WINDOWS),
}
UNKNOWN = {
    "another family": Olmo2Config(**SHAPE),
    "frequencies that vary": LlamaConfig(**SHAPE, rope_parameters=DYNAMIC),
    "a window in every layer": MistralConfig(**SHAPE, sliding_window=4),
    "capped logits": Gemma2Config(**SHAPE, layer_types=["full_attention"] * 3),
}


def made(config: Any, attention: str = "eager") -> Any:
    """A model of random weights, norms and biases among them, large enough to tell what uses them."""
    torch.manual_seed(0)
    make: Any = AutoModelForCausalLM.from_config
    model = make(copy.deepcopy(config), attn_implementation=attention, dtype=torch.float32)
    for name, parameter in model.requires_grad_(False).named_parameters():
        if parameter.ndim > 1:
            parameter.mul_(4)
        else:
            parameter.copy_(torch.randn_like(parameter) * 0.3 + float("norm" in name))
    return model.eval()


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def random_ids(count: int) -> list[int]:
    return torch.randint(0, VOCABULARY, (count,)).tolist()


def passed(decoder: Decoder | ForeignDecoder, parts: Sequence[Part]) -> list[torch.Tensor]:
    batch = RaggedBatch(parts, torch.device("cpu"))
    logits = decoder(batch)
    batch.commit()
    return batch.split(logits.float())


def theirs(model: Any, ids: Sequence[int], keep: int) -> torch.Tensor:
    """transformers' own last `keep` logits of a sequence by itself."""
    logits: torch.Tensor = model(torch.tensor([list(ids)]), use_cache=False).logits[0, -keep:].float()
    return logits


def close(got: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", KNOWN)
def test_a_sequence_in_passes_of_all_sizes_gets_transformers_logits(name: str) -> None:
    model = made(KNOWN[name])
    assert known(model)
    decoder = Decoder(copy.deepcopy(model))
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
def test_rollback_copy_and_branches_leave_transformers_logits(name: str) -> None:
    """Branches leave what is cached, what is new, and the end; what is copied is written on separately."""
    model = made(KNOWN[name])
    decoder = Decoder(copy.deepcopy(model))
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


def test_a_prompt_computed_for_nothing_but_its_cache_gives_no_logits() -> None:
    model = made(KNOWN["llama"])
    decoder = Decoder(copy.deepcopy(model))
    ids, cache = random_ids(9), KVCache()
    for start, end in ((0, 2), (2, 8)):
        [nothing] = passed(decoder, [Part(cache, ids[start:end], 0)])
        assert nothing.shape == (0, VOCABULARY)
    close(passed(decoder, [Part(cache, ids[8:], 1)])[0], theirs(model, ids, 1))


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


def test_a_family_it_does_not_know_runs_in_transformers_code() -> None:
    model = made(UNKNOWN["another family"])
    decoder = ForeignDecoder(made(UNKNOWN["another family"], ATTENTION))
    ids, new, other = random_ids(50), random_ids(3), random_ids(9)
    cache = KVCache()
    passed(decoder, [Part(cache, ids, 1)])
    branch = Branch(40, [1, 2])
    got, beside = passed(decoder, [Part(cache, new, 2, [branch]), Part(KVCache(), other, 9)])
    close(got, torch.cat([theirs(model, [*ids, *new], 2), theirs(model, [*ids[:40], 1, 2], 2)]))
    close(beside, theirs(model, other, 9))


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
