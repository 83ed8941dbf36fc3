"""The families of models that the engine's own decoder computes; all others run in transformers' code."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from app.local.engine.norm import Norm
from app.local.engine.rotary import Rotary

# By transformers' `model_type`. True: the weights of norms are kept as what they differ from one by.
FAMILIES = {
    "llama": False,
    "mistral": False,
    "qwen2": False,
    "qwen3": False,
    "gemma": True,
    "gemma3_text": True,
}
WINDOWED = {"gemma3_text"}
FULL, SLIDING = "full_attention", "sliding_attention"
# Those with layers that have a state, see recurrent/layers.py.
STATEFUL = {
    "qwen3_5_text",
    "qwen3_5_moe_text",
    "lfm2",
    "lfm2_moe",
    "granitemoehybrid",
    "bamba",
    "falcon_h1",
}
# Kinds of rotary embeddings whose frequencies depend on the length of the sequence.
VARYING = {"dynamic", "longrope"}
_PARAMETERS = re.compile(
    r"(model\.embed_tokens|model\.norm|lm_head)\.weight|lm_head\.bias|model\.layers\.\d+\.("
    r"(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.(weight|bias)|self_attn\.[qk]_norm\.weight|"
    r"(input|post_attention|pre_feedforward|post_feedforward)_layernorm\.weight)"
)
_BEYOND = ("final_logit_softcapping", "attn_logit_softcapping", "use_bidirectional_attention")


def kinds(config: Any) -> list[str]:
    """The kind of attention of each layer, as transformers names it."""
    return list(getattr(config, "layer_types", None) or [FULL] * config.num_hidden_layers)


def windows(config: Any) -> list[int | None]:
    """How many positions each layer sees; None: all."""
    window = getattr(config, "sliding_window", None)
    if not getattr(config, "layer_types", None):
        return [window] * config.num_hidden_layers
    return [window if kind == SLIDING else None for kind in config.layer_types]


def unsupported_kinds(config: Any) -> set[str]:
    """The kinds of layers in this model that nothing here can compute."""
    if getattr(config, "model_type", None) in STATEFUL:
        return set()
    return set(kinds(config)) - {FULL, SLIDING}


def known(model: Any) -> bool:
    """Whether the decoder computes what this transformers model does: a known family, and nothing added."""
    config = model.config
    family = getattr(config, "model_type", None)
    if family not in FAMILIES or set(kinds(config)) - {FULL, SLIDING if family in WINDOWED else FULL}:
        return False
    if any(getattr(config, name, None) for name in _BEYOND):
        return False
    if getattr(config, "layer_types", None) is None and getattr(config, "sliding_window", None):
        return False  # Mistral's windows, in every layer
    linear = [one for name, one in model.named_modules() if name.endswith(("_proj", "lm_head"))]
    plain = all(type(one) is nn.Linear and one.weight.is_floating_point() for one in linear)
    return plain and all(map(_PARAMETERS.fullmatch, dict(model.named_parameters()))) and _turns(model)


def activation(config: Any) -> str:
    """The name of the function between a layer's gate and up."""
    return str(getattr(config, "hidden_activation", None) or getattr(config, "hidden_act", None))


def norm_of(config: Any) -> Callable[[nn.Module], Norm]:
    """What makes a Norm of transformers' own in a model of this `config`."""
    return partial(Norm, eps=config.rms_norm_eps, from_one=FAMILIES[config.model_type])


def rotaries(model: Any) -> dict[str, Rotary]:
    """The rotary embeddings of each kind of layer."""
    own = model.model.rotary_emb
    if hasattr(own, "inv_freq"):
        return dict.fromkeys((FULL, SLIDING), Rotary(own.inv_freq, own.attention_scaling))
    return {
        kind: Rotary(getattr(own, f"{kind}_inv_freq"), getattr(own, f"{kind}_attention_scaling"))
        for kind in set(kinds(model.config))
    }


def _turns(model: Any) -> bool:
    """Whether each kind of layer turns all elements of a head, at every length alike."""
    own = model.model.rotary_emb
    types = own.rope_type if isinstance(own.rope_type, dict) else {FULL: own.rope_type}
    if VARYING & set(types.values()):
        return False
    size = model.model.layers[0].self_attn.head_dim
    return all(2 * one.frequencies.numel() == size for one in rotaries(model).values())
