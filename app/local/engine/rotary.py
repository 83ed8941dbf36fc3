"""Rotary position embeddings (arXiv 2104.09864), in the layout of Hugging Face's weights."""

from __future__ import annotations

import torch


class Rotary:
    """The angles of one kind of layer: pair i of a head is turned by `frequencies[i]` per position."""

    def __init__(self, frequencies: torch.Tensor, scaling: float) -> None:
        """`frequencies` [head size / 2]; `scaling` multiplies what is turned, as some long contexts want."""
        self.frequencies = frequencies.float()
        self.scaling = scaling

    def at(self, positions: torch.Tensor, dtype: torch.dtype) -> Turn:
        """The turn of the tokens at `positions` [tokens], computed once for all layers."""
        cos, sin = self.waves(positions)
        return Turn(
            torch.cat([cos, cos], -1)[:, None].to(dtype), torch.cat([-sin, sin], -1)[:, None].to(dtype)
        )

    def waves(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The scaled cosines and sines of the angles at `positions` [n], each [n, head size / 2]."""
        angles = torch.outer(positions.float(), self.frequencies)
        return angles.cos().mul_(self.scaling), angles.sin().mul_(self.scaling)


class Turn:
    """Turns the heads of a pass's tokens."""

    def __init__(self, cos: torch.Tensor, sin: torch.Tensor) -> None:
        """Both [tokens, 1, head size]; `sin` is negative in its first half."""
        self._cos, self._sin = cos, sin
        self._half = cos.shape[-1] // 2

    def __call__(self, heads: torch.Tensor) -> None:
        """Turn `heads` [tokens, heads, head size] in place. Element i pairs with i + size / 2."""
        swapped = heads.roll(self._half, -1)
        heads.mul_(self._cos).addcmul_(swapped, self._sin)
