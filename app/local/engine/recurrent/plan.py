"""How the new tokens of one sequence pass through layers with a state: the same for all layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from app.local.engine.attention import Attention

LAG = 8  # tokens by which the state stays behind what may be rolled back, for rollbacks a little further
MOST_ROWS = (
    24  # tokens after the state from which on it is moved: each costs as much memory as a key and value
)
CHUNK = 64  # tokens of a prompt that are computed at once, before the state is moved on


class Plan:
    """Old tokens after the state, `held` - `start` of them, and the new ones of the `runs`: of the sequence,
    then of its branches.

    First the state is moved on by `folded` old tokens. Then the tokens of each of the `chunks` are computed
    and folded into it; then the others, the `tail`, whose rows are kept: those that may be rolled back.
    """

    def __init__(
        self, start: int, held: int, runs: Sequence[range], since: int, device: torch.device
    ) -> None:
        """What lies before `since` will not be rolled back, as far as is known."""
        path = runs[0]
        earliest = min([since, path.stop, *(run.start for run in runs[1:])])
        if earliest < start:
            raise ValueError("a branch leaves the sequence before its state")
        far = path.stop - start > MOST_ROWS
        self.start, self.held = start, held
        self.base = max(start, earliest - LAG) if far else start
        self.folded = min(self.base, held) - start
        first = max(self.base, held)
        self.chunks = [range(at - held, min(at + CHUNK, first) - held) for at in range(held, first, CHUNK)]
        self.tail = first - held
        self.runs = [
            range(one.start - self.base, one.stop - self.base) for one in (range(first, path.stop), *runs[1:])
        ]
        self._device = device
        self._seen = Attention(first - self.base, self.runs, device)
        self._causal: dict[int, Attention] = {}

    def mask(self) -> torch.Tensor:
        """[tail, old rows + tail]: 0 where a token of the tail sees one, else -inf."""
        return self._seen.mask(torch.float32)

    def causal(self, count: int) -> torch.Tensor:
        """[count, count]: the same of a chunk."""
        if count not in self._causal:
            self._causal[count] = Attention(0, [range(count)], self._device)
        return self._causal[count].mask(torch.float32)
