"""Small models of random weights in every family that the engine's own decoders know, and in others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    BambaConfig,
    Cohere2Config,
    FalconH1Config,
    Gemma2Config,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    GemmaConfig,
    GraniteMoeHybridConfig,
    Lfm2Config,
    Lfm2MoeConfig,
    LlamaConfig,
    MinistralConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3_5TextConfig,
    Qwen3Config,
    Qwen3MoeConfig,
)

from app.local.engine.int8.blocks import dequantised, quantised
from app.local.engine.ragged import Part, RaggedBatch

VOCABULARY = 97
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 96,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
WINDOWS = ["sliding_attention", "full_attention", "sliding_attention"]
KNOWN = {
    "llama": LlamaConfig(**SHAPE),
    "llama, tied": LlamaConfig(**SHAPE | {"tie_word_embeddings": True}),
    "llama, llama3 rope": LlamaConfig(**SHAPE, rope_parameters=LLAMA3),
    "llama, biases and wide heads": LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True, head_dim=32),
    "llama, one head a group": LlamaConfig(**SHAPE | {"num_key_value_heads": 6}),
    "mistral": MistralConfig(**SHAPE, sliding_window=None),
    "qwen2": Qwen2Config(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE, head_dim=32),
    "gemma": GemmaConfig(**SHAPE | {"tie_word_embeddings": True}, head_dim=32),
    "gemma3": Gemma3TextConfig(**SHAPE, head_dim=32, sliding_window=7, layer_types=WINDOWS),
}
PADDED: dict[str, Any] = SHAPE | {"pad_token_id": 0}
_ALTERNATING = ["sliding_attention", "full_attention"]
_PLAIN: dict[str, Any] = {"rope_type": "default", "rope_theta": 10_000.0}
_PER_LAYER: dict[str, Any] = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCABULARY}
# Computed in transformers' code, with attention that is windowed, capped or shared between layers.
FOREIGN: dict[str, Any] = {
    "gemma2": Gemma2Config(
        **SHAPE, head_dim=32, sliding_window=7, attn_logit_softcapping=2.0, final_logit_softcapping=5.0
    ),
    "gemma3, capped": Gemma3TextConfig(
        **SHAPE, head_dim=32, sliding_window=7, layer_types=WINDOWS, final_logit_softcapping=5.0
    ),
    "gemma3n": Gemma3nTextConfig(
        **SHAPE | {"num_hidden_layers": 5, "intermediate_size": [80] * 5},
        **_PER_LAYER,
        head_dim=32,
        sliding_window=6,
        layer_types=[*_ALTERNATING, *_ALTERNATING, "full_attention"],
        num_kv_shared_layers=2,
        laurel_rank=4,
        activation_sparsity_pattern=[0.0] * 5,
    ),
    "gemma4": Gemma4TextConfig(
        **SHAPE | {"num_hidden_layers": 6},
        **_PER_LAYER,
        head_dim=32,
        sliding_window=6,
        layer_types=_ALTERNATING * 3,
        num_kv_shared_layers=3,
    ),
    "mistral, windows": MistralConfig(**SHAPE, sliding_window=4),
    "ministral": MinistralConfig(
        **SHAPE, head_dim=16, sliding_window=5, layer_types=WINDOWS, rope_parameters=_PLAIN
    ),
    "qwen2, windows": Qwen2Config(**SHAPE, use_sliding_window=True, sliding_window=5, max_window_layers=1),
    "phi3": Phi3Config(**PADDED, sliding_window=6),
    "cohere2": Cohere2Config(**SHAPE, sliding_window=6),
    "qwen3_moe": Qwen3MoeConfig(**PADDED, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32),
}
_MAMBA: dict[str, Any] = {"mamba_n_heads": 6, "mamba_d_head": 32, "mamba_d_state": 16, "mamba_chunk_size": 16}
_AROUND = ["linear_attention", "full_attention", "linear_attention"]
# With layers that have a state.
STATEFUL: dict[str, Any] = {
    "qwen3_5": Qwen3_5TextConfig(
        **PADDED,
        head_dim=32,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=16,
        linear_value_head_dim=24,
        layer_types=_AROUND,
        rope_parameters=_PLAIN | {"mrope_section": [2, 1, 1], "partial_rotary_factor": 0.25},
    ),
    "lfm2": Lfm2Config(**PADDED, layer_types=["conv", "full_attention", "conv"]),
    "lfm2_moe": Lfm2MoeConfig(
        **PADDED,
        layer_types=["conv", "full_attention", "conv"],
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
        num_dense_layers=1,
    ),
    "granite": GraniteMoeHybridConfig(
        **PADDED,
        **_MAMBA,
        num_local_experts=0,
        shared_intermediate_size=64,
        layer_types=_AROUND,
        embedding_multiplier=2.0,
        logits_scaling=3.0,
        residual_multiplier=0.5,
        attention_multiplier=0.2,
    ),
    "granite, experts and groups": GraniteMoeHybridConfig(
        **PADDED,
        **_MAMBA,
        mamba_n_groups=2,
        num_local_experts=4,
        shared_intermediate_size=64,
        layer_types=_AROUND,
        position_embedding_type="rope",
    ),
    "bamba": BambaConfig(**PADDED, **_MAMBA, attn_layer_indices=[1]),
    "falcon_h1": FalconH1Config(
        **PADDED,
        mamba_d_ssm=64,
        mamba_n_heads=4,
        mamba_d_head=16,
        mamba_d_state=16,
        mamba_chunk_size=16,
        ssm_multipliers=[0.5, 0.6, 0.7, 0.8, 0.9],
        ssm_in_multiplier=1.5,
    ),
}


def made(config: Any, attention: str = "eager", gain: float = 4.0) -> Any:
    """A model of random weights, norms and biases among them, large enough to tell what uses them."""
    torch.manual_seed(0)
    make: Any = AutoModelForCausalLM.from_config
    model = make(copy.deepcopy(config), attn_implementation=attention, dtype=torch.float32)
    for name, parameter in model.requires_grad_(False).named_parameters():
        if parameter.ndim > 1:
            parameter.mul_(gain)
        else:
            parameter.copy_(torch.randn_like(parameter) * 0.3 + float("norm" in name))
    return model.eval()


def rounded(model: Any) -> Any:
    """The same model with the weights of its linear layers as 8 bits keep them."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.copy_(dequantised(*quantised(layer.weight), layer.in_features))
    return model


def random_ids(count: int) -> list[int]:
    return torch.randint(0, VOCABULARY, (count,)).tolist()


def passed(decoder: Callable[[RaggedBatch], torch.Tensor], parts: Sequence[Part]) -> list[torch.Tensor]:
    batch = RaggedBatch(parts, torch.device("cpu"))
    logprobs = decoder(batch)
    batch.commit()
    return batch.split(logprobs)


def theirs(model: Any, ids: Sequence[int], keep: int) -> torch.Tensor:
    """transformers' own last `keep` log-probabilities of a sequence by itself."""
    logits: torch.Tensor = model(torch.tensor([list(ids)]), use_cache=False).logits[0, -keep:]
    return logits.float().log_softmax(-1)


def close(got: torch.Tensor, wanted: torch.Tensor, error: float = 1e-4) -> None:
    torch.testing.assert_close(got, wanted, atol=error, rtol=error)
