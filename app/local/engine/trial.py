"""A pass over a few tokens that shows whether all of a transformers model is computed here as there."""

from __future__ import annotations

from typing import Any

import torch

from app.local.engine.families import windows
from app.local.engine.foreign import ForeignDecoder, RaggedPass
from app.local.engine.kv_cache import KVCache
from app.local.engine.ragged import Part, RaggedBatch


@torch.inference_mode()
def objection(decoder: ForeignDecoder, config: Any, device: torch.device) -> str | None:
    """What of a model of this `config` is not computed as transformers does; None if nothing is.

    A layer that asks for a state, or for a kind of attention, which is not known here fails in this pass;
    one that keeps a state of its own calls nothing here; and one whose window differs from the
    configuration's would forget too much, or too little.
    """
    layers = RaggedPass(RaggedBatch([Part(KVCache(), [0, 1, 2], 1)], device))
    try:
        decoder.run(layers)
    except (AttributeError, NotImplementedError, TypeError, ValueError, RuntimeError, LookupError) as error:
        return f"layers that ask for what is not known here ({str(error).strip().splitlines()[0]})"
    if set(layers.windows) != set(range(config.num_hidden_layers)):
        return "layers without attention"
    expected = windows(config)
    if any(window != expected[layer] for layer, window in layers.windows.items()):
        return "windows of attention that its configuration does not name"
    return None
