"""What a layer with a state keeps of one sequence."""

from __future__ import annotations

import torch

from app.local.engine.recurrent.rows import Rows


class LayerState:
    """The state after the sequence's first tokens, and what each token since then does to it.

    After a token the state S of a head [key size, value size] is `exp(decay) S + key value^T`. Kept are an S
    that lies behind, and of the n tokens since then `decays` [n, heads], `keys` [n, groups, key size] and
    `values` [n, heads, value size]: so the state after any of them is known, and rolling back drops rows.
    `heads / groups` consecutive heads share their keys. `inputs` are what the layer's convolution reads, of
    these tokens and of the few before them that it still sees.
    """

    def __init__(self, state: torch.Tensor | None = None, inputs: torch.Tensor | None = None) -> None:
        """`state` [groups, key size, heads / groups * value size], never written to; None: zeros."""
        self.state = state
        self.inputs = Rows(inputs)
        self.decays, self.keys, self.values = Rows(), Rows(), Rows()

    @property
    def nbytes(self) -> int:
        """Bytes of the rows; the state's are counted apart, since snapshots share it."""
        return sum(rows.nbytes for rows in (self.inputs, self.decays, self.keys, self.values))

    def append(self, decays: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Add what the next tokens do to the state."""
        self.decays.append(decays)
        self.keys.append(keys)
        self.values.append(values)

    def cut(self, count: int) -> None:
        """Roll back to `count` tokens after the state."""
        for rows in (self.decays, self.keys, self.values):
            rows.cut(count)

    def fold(self, count: int) -> None:
        """Move the state on by `count` tokens, into a tensor of its own."""
        if not count or not len(self.decays):
            return
        decays, keys, values = (rows.all[:count] for rows in (self.decays, self.keys, self.values))
        sums = decays.cumsum(0)
        groups, heads = keys.shape[1], values.shape[1]
        faded = values * (sums[-1] - sums).exp()[..., None]
        added = keys.permute(1, 2, 0) @ faded.view(count, groups, -1).transpose(0, 1)
        if self.state is not None:
            shape = (groups, -1, heads // groups, values.shape[2])
            share = sums[-1].exp().view(groups, 1, -1, 1)
            added.view(shape).addcmul_(self.state.view(shape), share)
        self.state = added
        for rows in (self.decays, self.keys, self.values):
            rows.drop(count)

    def copy(self, count: int, before: int) -> LayerState:
        """The same `count` tokens after the state; the convolution sees `before` inputs before it."""
        other = LayerState(self.state, self.inputs.all[: before + count])
        if len(self.decays):
            other.append(*(rows.all[:count] for rows in (self.decays, self.keys, self.values)))
        return other
