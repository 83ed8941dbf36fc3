"""Short causal convolutions, each channel by itself."""

from __future__ import annotations

import torch
from torch import nn

from app.local.engine.recurrent.plan import Plan
from app.local.engine.recurrent.states import States


class Convolution:
    """A token's output is the weighted sum of its own input and the few before it, which the state keeps."""

    def __init__(self, convolution: nn.Conv1d) -> None:
        """`convolution` is transformers' own, with a group for each channel."""
        self._weights = convolution.weight.data[:, 0].T.contiguous()  # [width, channels]
        self._bias = None if convolution.bias is None else convolution.bias.data
        self.before = len(self._weights) - 1

    def __call__(self, states: States, layer: int, plan: Plan, x: torch.Tensor) -> torch.Tensor:
        """`x` [tokens, channels], of the sequence and then of its branches, gives the same shape."""
        states.sees(layer, self.before)
        inputs = states.layer(layer).inputs
        if not len(inputs):
            inputs.append(x.new_zeros(self.before, x.shape[1]))
        inputs.cut(self.before + plan.held - plan.start)
        first, rest = plan.held - plan.start, len(plan.runs[0]) + plan.tail
        inputs.append(x[:rest])
        line = inputs.all
        made = [self._slide(line[first:])]
        for run in plan.runs[1:]:
            left = run.start + plan.base - plan.start
            own = x[rest : rest + len(run)]
            made.append(self._slide(torch.cat([line[left : left + self.before], own])))
            rest += len(run)
        inputs.drop(plan.base - plan.start)
        return made[0] if len(made) == 1 else torch.cat(made)

    def _slide(self, line: torch.Tensor) -> torch.Tensor:
        """[before + n, channels] gives [n, channels]."""
        count = len(line) - self.before
        made = line[:count] * self._weights[0]
        for at, weight in enumerate(self._weights[1:], 1):
            made.addcmul_(line[at : at + count], weight)
        return made if self._bias is None else made.add_(self._bias)
