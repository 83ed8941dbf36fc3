"""Linear attention: what tokens read of a state that each of them changes (arXiv 2405.21060, 2412.06464).

As attention over the tokens since a state, whose scores fade, and what the state itself says of those before:
a few tokens, a prompt and branches alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from app.local.engine.recurrent.layer_state import LayerState
from app.local.engine.recurrent.plan import Plan


@dataclass(frozen=True)
class Steps:
    """What n tokens do: each fades the state by exp(`decay`), adds `key` times `value`, then reads `query`.

    With `strength`, the delta rule: what is added to the state replaces, as far as that says, what the faded
    state had at the key. `query`, `key` [n, groups, key size]; `value` [n, heads, value size]; `decay`,
    `strength` [n, heads]; all float32.
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    decay: torch.Tensor
    strength: torch.Tensor | None = None

    def part(self, first: int, last: int | None = None) -> Steps:
        """Those of some of the tokens."""
        strength = None if self.strength is None else self.strength[first:last]
        query, key, value, decay = (one[first:last] for one in (self.query, self.key, self.value, self.decay))
        return Steps(query, key, value, decay, strength)


def scan(layer: LayerState, plan: Plan, steps: Steps) -> torch.Tensor:
    """What each token reads, [n, heads, value size]; `layer` then holds the tokens of the sequence."""
    layer.cut(plan.held - plan.start)
    layer.fold(plan.folded)
    read = []
    for chunk in plan.chunks:
        runs = [range(len(chunk))]
        read.append(_read(layer, steps.part(chunk.start, chunk.stop), plan.causal(len(chunk)), runs))
        layer.fold(len(chunk))
    read.append(_read(layer, steps.part(plan.tail), plan.mask(), plan.runs))
    return read[0] if len(read) == 1 else torch.cat(read)


def _read(layer: LayerState, steps: Steps, mask: torch.Tensor, runs: Sequence[range]) -> torch.Tensor:
    """`mask` [n, old rows + n] says what each token sees. Runs are counted from the state."""
    value = steps.value.transpose(0, 1)
    old, new = len(layer.decays), len(steps.decay)
    groups, heads = steps.key.shape[1], steps.value.shape[1]
    path = len(runs[0])
    sums = _sums(layer, steps.decay, runs).T  # [heads, old + n]
    since = sums[:, old:, None]
    faded = (since - sums[:, None] + mask).to(value.dtype).exp()
    keys = layer.keys.then(steps.key).transpose(0, 1)
    values = layer.values.all.transpose(0, 1) if old else value[:, :0]
    asking = [steps.query] if steps.strength is None else [steps.query, steps.key]
    asked = torch.cat(asking).transpose(0, 1)  # [groups, asking * n, key size]
    scores = (asked @ keys.transpose(1, 2)).view(groups, 1, len(asking), new, old + new)
    scores = (scores * faded.view(groups, -1, 1, new, old + new)).reshape(heads, -1, new, old + new)
    said = None
    if layer.state is not None:
        said = (asked @ layer.state).view(groups, len(asking), new, heads // groups, -1)
        said = (
            said.permute(0, 3, 1, 2, 4).reshape(heads, len(asking), new, -1)
            * since.to(value.dtype).exp()[:, None]
        )
    if steps.strength is not None:
        strength = steps.strength.T[..., None]
        there = scores[:, 1, :, :old] @ values
        if said is not None:
            there += said[:, 1]
        value = torch.linalg.solve_triangular(
            strength * scores[:, 1, :, old:], strength * (value - there), upper=False, unitriangular=True
        )
    read = scores[:, 0] @ torch.cat([values, value], 1)
    if said is not None:
        read += said[:, 0]
    if path:
        layer.append(steps.decay[:path], steps.key[:path], value[:, :path].transpose(0, 1))
    return read.transpose(0, 1)


def _sums(layer: LayerState, new: torch.Tensor, runs: Sequence[range]) -> torch.Tensor:
    """Of old and new tokens the sum of their decays since the state, [old + n, heads], of a branch's tokens
    along the branch. In float64 where there is one: differences of large sums are what counts."""
    precise = new.dtype if new.device.type == "mps" else torch.float64
    end = len(runs[0])
    line = layer.decays.then(new[:end]).to(precise).cumsum(0)
    sums = [line]
    for run in runs[1:]:
        own = new[end : end + len(run)].to(precise).cumsum(0)
        sums.append(own + line[run.start - 1] if run.start else own)
        end += len(run)
    return line if len(sums) == 1 else torch.cat(sums)
