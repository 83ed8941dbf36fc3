"""One forward pass over the new tokens of several sequences, concatenated: no padding, whatever the lengths.

Linear layers, which cost most, see all tokens as one sequence; attention reads each sequence's own KV cache.
So weights are read once for the whole batch: all prompts of a reply, and several replies at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from app.local.engine.attention import Attention
from app.local.engine.branch import Branch
from app.local.engine.kv_cache import KVCache
from app.local.engine.recurrent.convolution import Convolution
from app.local.engine.recurrent.plan import Plan
from app.local.engine.recurrent.scan import Steps, scan

# A CPU multiplies four rows sooner than one or two: oneDNN takes another kernel, measured 10 to 30 % faster.
FEWEST_ROWS = 4


@dataclass(frozen=True)
class Part:
    """The next tokens of one sequence: `cache` holds what comes before `ids`. Rows of log-probabilities are
    returned for the last `keep` of `ids`, then for all tokens of the `branches`, which are not kept.

    What follows after this pass may leave the sequence where branches do, from its token `since` on, or else
    where rows were returned.
    """

    cache: KVCache
    ids: Sequence[int]
    keep: int
    branches: Sequence[Branch] = ()
    since: int | None = None

    def __len__(self) -> int:
        """Number of tokens computed."""
        return len(self.ids) + sum(len(branch.ids) for branch in self.branches)

    @property
    def tokens(self) -> list[int]:
        """The tokens computed: `ids`, then those of the branches."""
        return [*self.ids, *chain.from_iterable(branch.ids for branch in self.branches)]

    @property
    def kept(self) -> int:
        """Number of rows returned."""
        return self.keep + len(self) - len(self.ids)

    @property
    def rigid(self) -> int:
        """Number of tokens of the sequence that are likely to stay."""
        end = len(self.cache.tokens) + len(self.ids)
        return end - self.keep if self.since is None else min(self.since, end - self.keep)

    def runs(self) -> list[range]:
        """The positions of the tokens computed: of `ids`, then of each branch."""
        runs = [(len(self.cache.tokens), self.ids), *((branch.start, branch.ids) for branch in self.branches)]
        return [range(start, start + len(ids)) for start, ids in runs]


class RaggedBatch:
    """The tokens of a pass, their positions, and attention of each to its own sequence.

    `ids`, `positions` [tokens], and `kept` [rows], where log-probabilities are asked for; on the model's
    device. On a CPU very few are padded: the tokens and rows that come last then belong to no sequence.
    """

    def __init__(self, parts: Sequence[Part], device: torch.device) -> None:
        self.parts = parts
        self._device = device
        self._plans: list[Plan] = []
        runs = [part.runs() for part in parts]
        self.attentions = [
            Attention(len(part.cache.tokens), one, device) for part, one in zip(parts, runs, strict=True)
        ]
        ids: list[int] = []
        kept: list[int] = []
        for part in parts:
            ids += part.tokens
            kept += range(len(ids) - part.kept, len(ids))
        positions = [position for part in runs for run in part for position in run]
        fewest = FEWEST_ROWS if device.type == "cpu" else 0
        self._padding = max(0, fewest - len(ids))
        # As the parts lie along the tokens, and the padding after them.
        self._lengths = [*map(len, parts), self._padding]
        padding = [0] * self._padding
        kept += [0] * (fewest - len(kept) if kept else 0)
        self.ids, self.positions, self.kept = (
            torch.tensor(numbers, dtype=torch.long, device=device)
            for numbers in (ids + padding, positions + padding, kept)
        )

    def append(self, layer: int, pairs: torch.Tensor) -> None:
        """Append a layer's keys and values [2, heads, tokens, head size], each to its sequence's cache."""
        for part, own in zip(self.parts, pairs.split_with_sizes(self._lengths, dim=2), strict=False):
            part.cache.append(layer, own)

    def attend(
        self,
        layer: int,
        query: torch.Tensor,
        scale: float | None = None,
        window: int | None = None,
        *,
        cap: float | None = None,
    ) -> torch.Tensor:
        """Attention of `query` [tokens, heads, head size] over each sequence's own cache, of which only the
        last `window` positions are seen if given, with scores within `cap`. Returns [tokens, heads * head
        size]."""
        queries = query.split_with_sizes(self._lengths)
        seen = [
            attention(own, *part.cache.view(layer, attention.slots), scale, window, cap=cap)
            for part, attention, own in zip(self.parts, self.attentions, queries, strict=False)
        ]
        if self._padding:
            seen.append(queries[-1].flatten(1))  # whatever it is, nobody reads what comes of it
        return seen[0] if len(seen) == 1 else torch.cat(seen)

    def convolve(self, layer: int, convolution: Convolution, x: torch.Tensor) -> torch.Tensor:
        """A layer's convolution of `x` [tokens, channels] along each sequence. Returns the same shape."""
        own = x.split_with_sizes(self._lengths)
        made = [
            convolution(part.cache.states, layer, plan, rows)
            for part, plan, rows in zip(self.parts, self.plans(), own, strict=False)
        ]
        return self._whole(made, x)

    def scan(self, layer: int, steps: Steps) -> torch.Tensor:
        """What each token reads of a layer's states, [tokens, heads, value size]."""
        first, read = 0, []
        for part, plan in zip(self.parts, self.plans(), strict=True):
            read.append(scan(part.cache.states.layer(layer), plan, steps.part(first, first + len(part))))
            first += len(part)
        return self._whole(read, steps.value)

    def plans(self) -> list[Plan]:
        """How the parts pass through layers with a state."""
        if not self._plans:
            self._plans = [
                Plan(part.cache.states.start, len(part.cache.tokens), part.runs(), part.rigid, self._device)
                for part in self.parts
            ]
        return self._plans

    def _whole(self, made: list[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
        """What was made of the sequences as one, with rows for the padding, which nobody reads."""
        if self._padding:
            made.append(torch.zeros_like(like[: self._padding]))
        return made[0] if len(made) == 1 else torch.cat(made)

    def commit(self) -> None:
        """Record the tokens that the pass has appended, except those of branches: their slots are free."""
        for part, plan in zip(self.parts, self._plans, strict=False):
            part.cache.states.settle(plan.base, read=plan.base > plan.held)
        for part in self.parts:
            part.cache.tokens.extend(part.ids)

    def split(self, logprobs: torch.Tensor) -> list[torch.Tensor]:
        """Split the returned `logprobs` [kept, V] by sequence: [kept, V] each."""
        sizes = [part.kept for part in self.parts]
        return list(torch.split(logprobs[: sum(sizes)], sizes))
