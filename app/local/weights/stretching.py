"""Stretched rotary embeddings, which transformers' reader of GGUF leaves out: Llama 3's are read, others
refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.local.weights.errors import ConversionFailed
from app.local.weights.files.header import Header

TENSOR = "rope_freqs.weight"
# Those of every Llama 3.1 and 3.2; the factor alone differs, and is the largest of the tensor's.
LOW, HIGH, ORIGINAL = 1.0, 4.0, 8192
# A factor from which on a wave does not turn within any context.
ENDLESS = 1e10
# Fields below `rope` that stretch, unless they say this; and tensors that do. Without a type, llama.cpp takes
# a factor as linear.
FIELDS, NEUTRAL = ("scaling.factor", "scaling.attn_factor", "scale_linear"), (None, 0, 1)
FACTORS = {"rope_factors_long.weight", "rope_factors_short.weight"}


def unread(header: Header) -> str:
    """Which stretching of positions a file tells of that nobody here reads, as the end of a sentence; empty
    for none. transformers' reader leaves these fields out, and the model would see other positions."""
    told = {name: header.fields.get(f"{header.architecture}.rope.{name}") for name in FIELDS}
    if any(one not in NEUTRAL for one in told.values()) or not FACTORS.isdisjoint(header.tensors):
        kind = header.text(f"{header.architecture}.rope.scaling.type") or "linear"
        return f"it stretches its positions ({kind[:20]}), which is not read here: name the model's hub id"
    return ""


def stretch(config: Any, gguf: Path, header: Header) -> None:
    """Puts what the tensor says into the model's configuration. Raises ConversionFailed for a tensor, or a
    field, whose stretching is not known here."""
    if why := unread(header):
        raise ConversionFailed(f"{gguf} cannot be taken: {why}.")
    if TENSOR not in header.tensors:
        return
    factors = header.values(gguf, TENSOR)
    rope = config.rope_parameters
    if "rope_theta" not in rope:  # of each kind of layer its own
        if _still(rope.get("full_attention", {}), factors):
            return
        raise _other(gguf)
    theta = float(rope["rope_theta"])
    expected = llama3_factors(theta, 2 * len(factors), max(factors))
    if not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(factors, expected, strict=True)):
        raise _other(gguf)
    config.rope_parameters = {
        "rope_type": "llama3",
        "rope_theta": theta,
        "factor": round(max(factors), 3),
        "low_freq_factor": LOW,
        "high_freq_factor": HIGH,
        "original_max_position_embeddings": ORIGINAL,
    }


def _still(rope: dict[str, Any], factors: Sequence[float]) -> bool:
    """Whether the factors leave the first waves as they are and hold the others still, which is what
    transformers calls proportional: Gemma 4's."""
    turned = int(float(rope.get("partial_rotary_factor", 1.0)) * len(factors))
    first, others = factors[:turned], factors[turned:]
    plain = rope.get("rope_type") == "proportional" and float(rope.get("factor", 1.0)) == 1.0
    return plain and all(one == 1.0 for one in first) and all(one >= ENDLESS for one in others)


def _other(gguf: Path) -> ConversionFailed:
    return ConversionFailed(f"{gguf} stretches its positions in a way that is not read. Take its hub id.")


def llama3_factors(theta: float, size: int, factor: float) -> list[float]:
    """By how much each wave of a head of `size` is stretched: short ones not at all, long ones by `factor`,
    those between in part (llama.cpp's conversion of Llama 3.1, and transformers' "llama3")."""
    factors = []
    for i in range(0, size, 2):
        wavelength = 2 * math.pi * theta ** (i / size)
        share = (ORIGINAL / wavelength - LOW) / (HIGH - LOW)
        factors.append(1 / ((1 - min(1.0, max(0.0, share))) / factor + min(1.0, max(0.0, share))))
    return factors
