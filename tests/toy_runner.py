"""A model runner without a model: real caches, leases and passes over the fakes' vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from fakes import VOCABULARY, FakeTokenizer

from app.local.engine.kv_cache import KVCache
from app.local.engine.prefix_cache import PrefixCache
from app.local.engine.ragged import Part
from app.local.engine.runner import ModelRunner
from app.local.engine.scheduler import Scheduler


class ToyRunner(ModelRunner):
    """Finds "a" the likeliest token, all others equally likely.

    `computed` are the tokens of each pass, which is what a pass costs.
    """

    def __init__(self) -> None:
        self.name = "toy"
        self.tokenizer = FakeTokenizer()
        self.max_model_len = 8192
        self.computed: list[int] = []
        self.caches = PrefixCache(64 << 20)
        self._scheduler = Scheduler(self.forward, self.caches)

    def forward(self, parts: Sequence[Part]) -> list[torch.Tensor]:
        self.computed.append(sum(len(part.ids) for part in parts))
        for part in parts:
            ids = torch.tensor(part.ids, dtype=torch.float32)[None, :, None]
            part.cache.append(0, torch.stack([ids, -ids]))
            part.cache.tokens.extend(part.ids)
        logits = torch.zeros(VOCABULARY)
        logits[ord("a")] = 1.0
        return [logits.log_softmax(-1).repeat(part.keep, 1) for part in parts]

    def held(self) -> list[KVCache]:
        """All caches that there are, for whomever."""
        return [*self.caches._idle, *self.caches._lent, *self.caches._disowned]

    def reads(self) -> str:
        """All text that there is a cache of."""
        return "\n".join(self.tokenizer.decode(cache.tokens) for cache in self.held())
