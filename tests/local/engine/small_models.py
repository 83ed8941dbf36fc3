"""Small models of random weights in every family that the engine's own decoders know."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
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


def made(config: Any, attention: str = "eager") -> Any:
    """A model of random weights, norms and biases among them, large enough to tell what uses them."""
    torch.manual_seed(0)
    make: Any = AutoModelForCausalLM.from_config
    model = make(copy.deepcopy(config), attn_implementation=attention, dtype=torch.float32)
    for name, parameter in model.requires_grad_(False).named_parameters():
        if parameter.ndim > 1:
            parameter.mul_(4)
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


def close(got: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)
