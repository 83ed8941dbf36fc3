"""Grouped-query attention of one sequence's new tokens over its KV cache."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812

FEW = 32  # new tokens up to which a CPU is faster with a group's heads as rows than one by one


class Attention:
    """Attention over `held` cached slots and the slots of the new tokens, which come after them.

    The new tokens are `runs` of consecutive positions. A token sees the cached slots before its run, and its
    own run up to itself; of other runs only what lies before its own: the first run, which branches leave.
    """

    def __init__(self, held: int, runs: Sequence[range], device: torch.device) -> None:
        self.slots = held + sum(map(len, runs))
        self._held = held
        self._runs = runs
        self._device = device
        self._masks: dict[tuple[int, int | None], torch.Tensor] = {}

    def __call__(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scale: float | None = None,
        window: int | None = None,
        *,
        cap: float | None = None,
    ) -> torch.Tensor:
        """`query` [new, heads, size], `keys` and `values` [1, key-value heads, slots, size] give
        [new, heads * size]. With a `window`, a token sees that many positions, its own the last; a `cap`
        bends the scores so that none is beyond it."""
        new, heads, size = query.shape
        window = None if window is None or window >= self.slots else window
        if cap is not None:
            return self._capped(query, keys, values, scale=scale or size**-0.5, window=window, cap=cap)
        if new > FEW and query.device.type == "cpu":
            return self._by_head(query, keys, values, scale, window)
        groups = keys.shape[1]
        share = heads // groups
        # The query heads of a group become further rows, so that each key is read once for all of them.
        rows = query.view(new, groups, share, size).permute(1, 2, 0, 3).reshape(1, groups, share * new, size)
        mask = None if new == 1 and window is None else self.mask(query.dtype, share, window)
        seen = F.scaled_dot_product_attention(rows, keys, values, mask, scale=scale)
        return seen.view(groups, share, new, size).permute(2, 0, 1, 3).reshape(new, heads * size)

    def _by_head(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scale: float | None,
        window: int | None,
    ) -> torch.Tensor:
        causal = not self._held and len(self._runs) == 1 and window is None
        mask = None if causal else self.mask(query.dtype, 1, window)
        seen = F.scaled_dot_product_attention(
            query.transpose(0, 1)[None], keys, values, mask, is_causal=causal, scale=scale, enable_gqa=True
        )
        return seen[0].transpose(0, 1).reshape(len(query), -1)

    def _capped(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        *,
        scale: float,
        window: int | None,
        cap: float,
    ) -> torch.Tensor:
        """As Gemma 2 does it; torch's own attention cannot."""
        share = query.shape[1] // keys.shape[1]
        keys, values = (one[0].repeat_interleave(share, 0) for one in (keys, values))
        scores = query.transpose(0, 1) @ keys.transpose(1, 2) * (scale / cap)
        scores = scores.tanh() * cap + self.mask(query.dtype, 1, window)
        seen = scores.softmax(-1, dtype=torch.float32).to(values.dtype) @ values
        return seen.transpose(0, 1).reshape(len(query), -1)

    def mask(self, dtype: torch.dtype, share: int = 1, window: int | None = None) -> torch.Tensor:
        """[share * new, slots], added to the scores: 0 where a new token sees a slot, else -inf. Made once
        for all layers, and not of booleans: those are converted in every layer."""
        if (share, window) not in self._masks:
            seen = self._seen(window)
            mask = torch.zeros(seen.shape, dtype=dtype, device=self._device).masked_fill_(~seen, -torch.inf)
            self._masks[share, window] = mask.repeat(share, 1)
        return self._masks[share, window]

    def _seen(self, window: int | None) -> torch.Tensor:
        """[new, slots], True where a new token sees a slot."""
        slot = torch.arange(self.slots, device=self._device)
        seen = slot <= slot[self._held :, None]
        first = self._held
        for run in self._runs:
            seen[first - self._held : first - self._held + len(run), run.start : first] = False
            first += len(run)
        if window is not None:
            new = torch.cat([torch.arange(run.start, run.stop) for run in self._runs]).to(self._device)
            seen &= new[:, None] - torch.cat([slot[: self._held], new]) < window
        return seen
