"""Which of transformers' layers with a state are computed here, and by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from app.local.engine.recurrent.gated_delta import GatedDelta
from app.local.engine.recurrent.mamba import Mamba
from app.local.engine.recurrent.short_convolution import ShortConvolution

# By the names of transformers' classes.
LAYERS: dict[str, Callable[[Any], nn.Module]] = {
    "Qwen3_5GatedDeltaNet": GatedDelta,
    "Qwen3_5MoeGatedDeltaNet": GatedDelta,
    "Lfm2ShortConv": ShortConvolution,
    "Lfm2MoeShortConv": ShortConvolution,
    "GraniteMoeHybridMambaLayer": Mamba,
    "BambaMixer": Mamba,
    "FalconH1Mixer": Mamba,
}


def take_over(model: nn.Module) -> None:
    """Put our own layers in the places of those of `model` that have a state and are known."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if make := LAYERS.get(type(child).__name__):
                setattr(module, name, make(child))
