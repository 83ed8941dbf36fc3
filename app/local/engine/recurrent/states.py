"""The states of all layers of one sequence, and snapshots of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from app.local.engine.recurrent.layer_state import LayerState

MOST = 4  # snapshots of a sequence: each takes what some hundred tokens take of keys and values
# Tokens after the last snapshot from which on another is kept: after a prompt, and while a reply is written.
APART, SPACING = 64, 256


@dataclass(frozen=True)
class Snapshot:
    """The states after the first `start` tokens: of each layer the state, and the inputs its convolution
    still sees."""

    start: int
    layers: dict[int, tuple[torch.Tensor | None, torch.Tensor]]


class States:
    """The states of a sequence's layers, which lie behind its tokens: after the first `start` of them.

    They can be rolled back as far as that, and beyond that to a snapshot. For a model without such layers
    there is nothing here, and nothing to hold up a rollback.
    """

    def __init__(self, snapshots: list[Snapshot] | None = None) -> None:
        self.start = 0
        self.layers: dict[int, LayerState] = {}
        self._snapshots = snapshots or []
        self._before: dict[int, int] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the states, the rows and the snapshots."""
        tensors = [layer.state for layer in self.layers.values()]
        for snapshot in self._snapshots:
            for state, inputs in snapshot.layers.values():
                tensors += [state, inputs]
        sizes = {id(tensor): tensor.nbytes for tensor in tensors if tensor is not None}
        return sum(sizes.values()) + sum(layer.nbytes for layer in self.layers.values())

    def layer(self, index: int) -> LayerState:
        """What a layer keeps; at first nothing."""
        return self.layers.setdefault(index, LayerState())

    def sees(self, index: int, before: int) -> None:
        """Note that a layer's convolution sees so many inputs before a token's own."""
        self._before[index] = before

    def reach(self, length: int) -> int:
        """How many of the first `length` tokens are left after a rollback to them."""
        return length if length >= self.start else self._latest(length)

    def rollback(self, length: int) -> None:
        """Go back to the first `length` tokens, which `reach` gave."""
        if length < self.start:
            self._restore(length)

    def copy(self, length: int) -> States:
        """The states of another sequence with the same first `length` tokens, which `reach` gave."""
        other = States([one for one in self._snapshots if one.start <= length])
        other._before = dict(self._before)
        if length < self.start:
            other._restore(length)
            return other
        other.start = self.start
        other.layers = {
            index: layer.copy(length - self.start, self._before.get(index, 0))
            for index, layer in self.layers.items()
        }
        return other

    def settle(self, start: int, *, read: bool) -> None:
        """The layers' states have been moved on to `start`; where tokens were `read` in one go, as those of a
        prompt are, others may begin with them too: a snapshot is kept."""
        moved, self.start = start > self.start, start
        last = self._snapshots[-1].start if self._snapshots else 0
        if moved and start - last >= (APART if read else SPACING):
            self._keep()

    def _keep(self) -> None:
        layers = {
            index: (layer.state, layer.inputs.all[: self._before.get(index, 0)].clone())
            for index, layer in self.layers.items()
        }
        self._snapshots.append(Snapshot(self.start, layers))
        if len(self._snapshots) > MOST:
            # The one with the least to compute between it and the one before, but never the latest.
            starts = [0, *(one.start for one in self._snapshots)]
            gaps = [after - before for before, after in pairwise(starts[:-1])]
            del self._snapshots[gaps.index(min(gaps))]

    def _latest(self, length: int) -> int:
        return max((one.start for one in self._snapshots if one.start <= length), default=0)

    def _restore(self, length: int) -> None:
        self._snapshots = [one for one in self._snapshots if one.start <= length]
        self.start = length
        self.layers = {}
        if length:
            layers = self._snapshots[-1].layers
            self.layers = {index: LayerState(state, inputs) for index, (state, inputs) in layers.items()}
