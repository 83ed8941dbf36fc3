"""Whatever is asked of a scheduler, in any order, it answers with what transformers says without a cache."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from transformers import (
    BambaConfig,
    FalconH1Config,
    Gemma2Config,
    Gemma3TextConfig,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    Qwen3_5TextConfig,
)

from app.local.engine.branch import Branch
from app.local.engine.decoder import Decoder
from app.local.engine.families import known
from app.local.engine.foreign import ATTENTION, ForeignDecoder
from app.local.engine.kv_cache import KVCache
from app.local.engine.prefix_cache import PrefixCache
from app.local.engine.ragged import Part
from app.local.engine.scheduler import Job, Lease, Scheduler
from app.local.engine.trial import objection
from local.engine.small_models import (
    FOREIGN,
    KNOWN,
    PADDED,
    SHAPE,
    STATEFUL,
    VOCABULARY,
    close,
    made,
    passed,
    theirs,
)

TIED = {"tie_word_embeddings": True}
ONE: dict[str, Any] = {"num_hidden_layers": 1}
# Shapes at the ends of what a configuration may say.
ODD: dict[str, Any] = {
    "llama, one key-value head, biases, tied": LlamaConfig(
        **SHAPE | TIED | {"num_key_value_heads": 1}, attention_bias=True, mlp_bias=True
    ),
    "gemma3, one layer with a window of one": Gemma3TextConfig(
        **SHAPE | ONE, head_dim=32, sliding_window=1, layer_types=["sliding_attention"]
    ),
    "gemma2, a window of one, capped, tied": Gemma2Config(
        **SHAPE | TIED, head_dim=32, sliding_window=1, attn_logit_softcapping=2.0
    ),
    "mistral, a window beyond its context": MistralConfig(**SHAPE, sliding_window=10_000),
    "qwen3_5, one layer with a state, one head": Qwen3_5TextConfig(
        **PADDED | ONE | TIED,
        head_dim=32,
        linear_num_key_heads=1,
        linear_num_value_heads=1,
        linear_key_head_dim=16,
        linear_value_head_dim=24,
        linear_conv_kernel_dim=2,
        layer_types=["linear_attention"],
    ),
    "lfm2, convolutions alone, of two, with biases": Lfm2Config(
        **PADDED | {"num_hidden_layers": 2}, layer_types=["conv", "conv"], conv_L_cache=2, conv_bias=True
    ),
    "bamba, three groups, biases": BambaConfig(
        **PADDED,
        mamba_n_heads=6,
        mamba_d_head=32,
        mamba_d_state=16,
        mamba_n_groups=3,
        mamba_proj_bias=True,
        attn_layer_indices=[0],
    ),
    "falcon_h1, one layer, no bias": FalconH1Config(
        **PADDED | ONE,
        mamba_d_ssm=64,
        mamba_n_heads=4,
        mamba_d_head=16,
        mamba_d_state=16,
        mamba_d_conv=2,
        mamba_conv_bias=False,
    ),
}
CONFIGS = ODD | STATEFUL | FOREIGN | KNOWN
GAIN, ERROR = 2.0, 1e-4
PROMPT = [(7 * number) % VOCABULARY for number in range(150)]  # too long to be rolled back without snapshots
NEW = st.lists(st.integers(0, VOCABULARY - 1), max_size=70)


@pytest.fixture(autouse=True)
def small_passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With one thread: two would wait for each other at each of many small operations."""
    monkeypatch.setattr("app.local.engine.scheduler.MOST", 48)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Caller:
    """One who asks for two sequences again and again, each time by another way through them."""

    def __init__(self, data: st.DataObject, scheduler: Scheduler, model: Any) -> None:
        self._data = data
        self._scheduler = scheduler
        self._model = model

    async def ask(self, times: int) -> None:
        lease = Lease()
        sequences = [PROMPT, PROMPT[:90]]
        for _ in range(times):
            sequences = [self._changed(one) for one in sequences]
            keep = self._drawn(st.integers(1, min(*map(len, sequences), 9)))
            branches = [self._branches(len(one)) for one in sequences]
            job = Job(lease, sequences, keep, list[torch.Tensor], branches=branches)
            got = await self._scheduler.run(job)
            for rows, ids, own in zip(got, sequences, branches, strict=True):
                close(rows, self._wanted(ids, keep, own), ERROR)
        self._scheduler.release(lease)

    def _changed(self, ids: list[int]) -> list[int]:
        """Some of the last tokens are left out, others come after the rest."""
        left_out = self._drawn(st.sampled_from([0, 1, 3, 9, 25, 60, 100, 140]))
        return [*ids[: max(1, len(ids) - left_out)], *self._drawn(NEW)]

    def _branches(self, length: int) -> list[Branch]:
        starts = self._drawn(st.lists(st.integers(max(1, length - 60), length), max_size=2))
        return [Branch(start, self._drawn(NEW)[:3] or [0]) for start in starts]

    def _wanted(self, ids: Sequence[int], keep: int, branches: Sequence[Branch]) -> torch.Tensor:
        with torch.inference_mode():
            rows = [theirs(self._model, ids, keep)]
            rows += [theirs(self._model, [*ids[: one.start], *one.ids], len(one.ids)) for one in branches]
        return torch.cat(rows)

    def _drawn(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self._data.draw(strategy)


def decoder_of(model: Any) -> Any:
    return Decoder(model) if known(model) else ForeignDecoder(model)


@pytest.mark.parametrize("name", CONFIGS)
def test_without_rounding_any_passes_give_the_same_to_a_hundred_thousandth(name: str) -> None:
    """In double precision, which products of experts do not take: random weights make up to 5e-5 of what
    float32 rounds off."""
    precision = torch.float32 if "moe" in name or "experts" in name else torch.float64
    decoder = decoder_of(made(CONFIGS[name], ATTENTION, GAIN).to(precision))
    ids, beside = PROMPT[:60], KVCache()
    with torch.inference_mode():
        [whole] = passed(decoder, [Part(KVCache(), ids, 60)])
        [branch] = passed(decoder, [Part(KVCache(), [*ids[:20], 3, 5, 7], 3)])
        cache, rows = KVCache(), list[torch.Tensor]()
        for start, end in pairwise([0, 1, 3, 4, 11, 12, 32, 33, 34, 37, 60]):
            branches = [Branch(20, [3, 5, 7])] if end == 32 else []
            part = Part(cache, ids[start:end], end - start, branches)
            own, _ = passed(decoder, [part, Part(beside, [start], 1)])
            close(own[end - start :], branch[: 3 * len(branches)], 1e-5)
            rows.append(own[: end - start])
            cache.rollback(end - 1)
            rows[-1] = torch.cat(
                [rows[-1][:-1], *passed(decoder, [Part(cache, ids[len(cache.tokens) : end], 1)])]
            )
        close(torch.cat(rows), whole, 1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_any_schedule_leaves_transformers_logprobs(name: str) -> None:
    model, own = made(CONFIGS[name], gain=GAIN), made(copy.deepcopy(CONFIGS[name]), ATTENTION, GAIN)
    decoder = decoder_of(own)
    if isinstance(decoder, ForeignDecoder):
        assert objection(decoder, own.config, torch.device("cpu")) is None

    def forward(parts: Sequence[Part]) -> list[torch.Tensor]:
        with torch.inference_mode():
            return passed(decoder, parts)

    @settings(max_examples=4, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data(), st.sampled_from([0, 100_000, 1 << 30]))
    def answers(data: st.DataObject, budget: int) -> None:
        scheduler = Scheduler(forward, PrefixCache(budget))

        async def both() -> None:
            """The second finds what the first has left, as far as the budget goes."""
            for times in (3, 2):
                await Caller(data, scheduler, model).ask(times)

        try:
            asyncio.run(both())
        finally:
            scheduler.close()

    answers()
