"""Writes a model of a known family as a graph with weights in 8 bits, and notes of what running it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from onnx import TensorProto
from torch import nn

from app.local.engine.families import activation, kinds, norm_of, rotaries
from app.local.engine.int8.graph import MICROSOFT, ROUNDED, Graph
from app.local.engine.int8.notes import EMBEDDING, GRAPH, SLOTS, WEIGHTS, Notes
from app.local.engine.layer import DecoderLayer
from app.local.engine.norm import Norm

# The operator of each of ACTIVATIONS.
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "silu": ("QuickGelu", {"domain": MICROSOFT, "alpha": 1.0}),
    "gelu_pytorch_tanh": ("Gelu", {"approximate": "tanh"}),
}


def write_network(model: Any, folder: Path, accuracy: int = ROUNDED) -> None:
    """Write a transformers model that is `known` and `computable` into a folder. The model cannot be used
    afterwards: its layers are freed one by one."""
    config, inner = model.config, model.model
    rows, dtype = _rows(inner.embed_tokens.weight)
    np.save(folder / EMBEDDING, rows)
    turns = rotaries(model)
    windows: dict[str, int | None] = {}
    with (folder / WEIGHTS).open("wb") as weights:
        network = _Network(Graph(weights, accuracy), config)
        for layer, kind in zip(_layers(model), kinds(config), strict=True):
            network.add(layer, kind)
            windows[kind] = layer.window
        graph = network.finish(norm_of(config)(inner.norm), model.lm_head)
    notes = Notes(
        kinds(config),
        layer.groups,
        layer.size,
        model.lm_head.out_features,
        {kind: turns[kind].frequencies.tolist() for kind in windows},
        {kind: turns[kind].scaling for kind in windows},
        windows,
        float(getattr(inner.embed_tokens, "embed_scale", 1.0)),
        dtype,
    )
    graph.save(folder / GRAPH, asdict(notes))


class _Network:
    """Tokens of all sequences are rows of the same products; attention takes each sequence's own rows.

    Inputs: `x` [tokens, hidden size], embedded; `attending`, the row of `x` in each row of attention, a
    sequence's one behind another; `lengths` [SLOTS], how many of them each sequence has, at least one;
    `attended` [tokens], where a token is among them; `kept` [rows], after which log-probabilities are wanted.
    """

    def __init__(self, graph: Graph, config: Any) -> None:
        self._graph = graph
        self._eps: float = config.rms_norm_eps
        self._activation, self._attributes = OPERATORS[activation(config)]
        self._count = 0
        self._inputs: set[str] = set()
        self._x = graph.input("x", ["tokens", config.hidden_size])
        self._attending = graph.input("attending", ["attention rows"], TensorProto.INT64)
        self._lengths = graph.input("lengths", [SLOTS], TensorProto.INT64)
        self._attended = graph.input("attended", ["tokens"], TensorProto.INT64)
        self._zero = graph.constant(np.array([0]))

    def add(self, layer: DecoderLayer, kind: str) -> None:
        """A layer, which does what DecoderLayer does."""
        graph, index = self._graph, self._count
        rows = self._norm_heads(layer, graph.linear(self._norm(self._x, layer.before_attention), layer.qkv))
        seen = graph.linear(self._attend(layer, kind, rows), layer.out)
        x = graph.node("Add", self._x, self._norm(seen, layer.after_attention))
        both = graph.linear(self._norm(x, layer.before_mlp), layer.gate_up)
        sides = [f"gate_{index}", f"up_{index}"]
        graph.node("Split", both, outputs=sides, axis=-1, num_outputs=2)
        gate = graph.node(self._activation, sides[0], **self._attributes)
        made = graph.linear(graph.node("Mul", gate, sides[1]), layer.down)
        self._x = graph.node("Add", x, self._norm(made, layer.after_mlp))
        self._count += 1

    def finish(self, norm: Norm, head: nn.Linear) -> Graph:
        """The last norm and the output matrix."""
        graph = self._graph
        rows = graph.node("Gather", self._x, graph.input("kept", ["rows"], TensorProto.INT64), axis=0)
        logits = graph.linear(self._norm(rows, norm), head)
        graph.node(
            "LogSoftmax", logits, outputs=[graph.output("logprobs", ["rows", head.out_features])], axis=-1
        )
        return graph

    def _norm(self, x: str, norm: Norm | None) -> str:
        if norm is None:
            return x
        weight = self._graph.constant(norm.weight.numpy())
        return self._graph.node("SimplifiedLayerNormalization", x, weight, epsilon=self._eps, axis=-1)

    def _norm_heads(self, layer: DecoderLayer, qkv: str) -> str:
        if layer.query_norm is None or layer.key_norm is None:
            return qkv
        graph, index = self._graph, self._count
        parts = [f"{name}_{index}" for name in ("queries", "fresh_keys", "fresh_values")]
        sizes = np.array([layer.heads, layer.groups, layer.groups]) * layer.size
        graph.node("Split", qkv, graph.constant(sizes), outputs=parts, axis=1)
        apart, flat = (graph.constant(np.array(shape)) for shape in ([0, -1, layer.size], [0, -1]))
        for place, norm in enumerate((layer.query_norm, layer.key_norm)):
            heads = graph.node("Reshape", parts[place], apart)
            parts[place] = graph.node("Reshape", self._norm(heads, norm), flat)
        return graph.node("Concat", *parts, axis=1)

    def _attend(self, layer: DecoderLayer, kind: str, rows: str) -> str:
        graph = self._graph
        batch = graph.node("Unsqueeze", graph.node("Gather", rows, self._attending, axis=0), self._zero)
        own = [f"rows_{self._count}_{slot}" for slot in range(SLOTS)]
        graph.node("Split", batch, self._lengths, outputs=own, axis=1)
        seen = [self._attention(layer, kind, one, slot) for slot, one in enumerate(own)]
        together = graph.node("Squeeze", graph.node("Concat", *seen, axis=1), self._zero)
        return graph.node("Gather", together, self._attended, axis=0)

    def _attention(self, layer: DecoderLayer, kind: str, rows: str, slot: int) -> str:
        """Grouped-query attention; turns queries and keys, and writes keys and values into the cache."""
        shape = [1, layer.groups, f"capacity_{slot}", layer.size]
        caches = [self._input(f"{part}_{self._count}_{slot}", shape) for part in ("keys", "values")]
        inputs = [
            *(rows, "", "", *caches),
            self._input(f"last_{slot}", [1], TensorProto.INT32),
            self._input(f"slots_{slot}", [], TensorProto.INT32),
            *(self._input(f"{part}_{kind}", ["longest", layer.size // 2]) for part in ("cos", "sin")),
            self._input(f"positions_{slot}", [1, f"new_{slot}"], TensorProto.INT64),
            self._input(f"mask_{kind}_{slot}", [1, 1, f"new_{slot}", f"seen_{slot}"]),
        ]
        written = [self._graph.output(f"written_{cache}", shape) for cache in caches]
        return self._graph.node(
            "GroupQueryAttention",
            *inputs,
            outputs=[f"attended_{self._count}_{slot}", *written],
            domain=MICROSOFT,
            num_heads=layer.heads,
            kv_num_heads=layer.groups,
            scale=layer.scale,
            do_rotary=1,
        )

    def _input(self, name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> str:
        """An input that several nodes may read."""
        if name not in self._inputs:
            self._inputs.add(self._graph.input(name, shape, kind))
        return name


def _layers(model: Any) -> Iterator[DecoderLayer]:
    layers = model.model.layers
    for index in range(len(layers)):
        layer = DecoderLayer(layers[index], index, norm_of(model.config))
        layers[index] = nn.Identity()
        yield layer


def _rows(weight: torch.Tensor) -> tuple[npt.NDArray[Any], str]:
    """The rows of an embedding, and their dtype: numpy has no bfloat16, whose bits are kept as integers."""
    if weight.dtype == torch.bfloat16:
        return weight.view(torch.uint16).numpy(), "bfloat16"
    return weight.numpy(), str(weight.dtype).removeprefix("torch.")
