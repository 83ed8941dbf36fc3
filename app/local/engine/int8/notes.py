"""What a written network is made of, and what running it needs to know; without the tools that write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.local.engine.families import activation

GRAPH, WEIGHTS, EMBEDDING = "graph.onnx", "weights.bin", "embedding.npy"
# Sequences in one pass: two prompts of two replies, or the four of one that has preferences too.
SLOTS = 4
# What ONNX Runtime computes of the known families: these activations, and heads of a multiple of that size.
ACTIVATIONS = {"silu", "gelu_pytorch_tanh"}
HEAD_STEP = 16


@dataclass(frozen=True)
class Notes:
    """What running a graph needs to know.

    `kinds`: the kind of attention of each layer. For each kind: the rotary `frequencies` [head size / 2], how
    they are scaled, and the window, None for all positions. `embedding_dtype`: see `Embedding`.
    """

    kinds: list[str]
    groups: int
    size: int
    vocabulary: int
    frequencies: dict[str, list[float]]
    scaling: dict[str, float]
    windows: dict[str, int | None]
    embedding_scale: float
    embedding_dtype: str


def computable(config: Any) -> bool:
    """Whether ONNX Runtime computes a known model of this `config`."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return activation(config) in ACTIVATIONS and size % HEAD_STEP == 0
