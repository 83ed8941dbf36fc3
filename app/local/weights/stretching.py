"""Llama 3's stretched rotary embedding, which GGUF keeps as a tensor and transformers' reader leaves out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from app.local.weights.errors import ConversionFailed
from app.local.weights.files.header import Header

TENSOR = "rope_freqs.weight"
# Those of every Llama 3.1 and 3.2; the factor alone differs, and is the largest of the tensor's.
LOW, HIGH, ORIGINAL = 1.0, 4.0, 8192


def stretch(config: Any, gguf: Path, header: Header) -> None:
    """Puts what the tensor says into the model's configuration. Raises ConversionFailed for a tensor, or a
    field, whose stretching is not known here."""
    kind = header.text(f"{header.architecture}.rope.scaling.type")
    factor = header.fields.get(f"{header.architecture}.rope.scaling.factor", 1.0)
    if kind == "linear" and factor != 1.0:
        raise ConversionFailed(
            f"{gguf} stretches its positions ({kind}), which is not read. Take its hub id."
        )
    if TENSOR not in header.tensors:
        return
    factors = header.values(gguf, TENSOR)
    theta = float(config.rope_parameters["rope_theta"])
    expected = llama3_factors(theta, 2 * len(factors), max(factors))
    if not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(factors, expected, strict=True)):
        raise ConversionFailed(f"{gguf} stretches its positions in a way that is not read. Take its hub id.")
    config.rope_parameters = {
        "rope_type": "llama3",
        "rope_theta": theta,
        "factor": round(max(factors), 3),
        "low_freq_factor": LOW,
        "high_freq_factor": HIGH,
        "original_max_position_embeddings": ORIGINAL,
    }


def llama3_factors(theta: float, size: int, factor: float) -> list[float]:
    """By how much each wave of a head of `size` is stretched: short ones not at all, long ones by `factor`,
    those between in part (llama.cpp's conversion of Llama 3.1, and transformers' "llama3")."""
    factors = []
    for i in range(0, size, 2):
        wavelength = 2 * math.pi * theta ** (i / size)
        share = (ORIGINAL / wavelength - LOW) / (HIGH - LOW)
        factors.append(1 / ((1 - min(1.0, max(0.0, share))) / factor + min(1.0, max(0.0, share))))
    return factors
