"""Whether the model in a GGUF file can be the small model, by its header; and if not, why not."""

from __future__ import annotations

import os
from contextlib import suppress

from app.local.weights.files.architectures import objection
from app.local.weights.files.header import Header
from app.local.weights.stretching import unread

# What holds no language model of its own, by llama.cpp's `general.type`, and by its architectures.
TYPES = {
    "adapter": "it is an adapter for another model",
    "mmproj": "it is a projector of pictures or sound for another model",
    "imatrix": "it holds statistics for quantising a model",
}
PROJECTORS, DRAFTS = {"clip"}, {"eagle3", "dflash"}
# Bytes for each weight while a file is converted, and in all besides; 3.05 GB with 0.63 billion weights.
CONVERTING, BESIDES = 4, 0.5e9


def obstacle(header: Header) -> str:
    """Why the file cannot be taken, as the end of a sentence; empty for one that can."""
    return _not_a_model(header) or _not_whole(header) or objection(header.architecture) or unread(header)


def memory(header: Header) -> int:
    """Bytes of memory that its conversion takes, at most; to run, it needs less."""
    return int(CONVERTING * header.parameters + BESIDES)


def machine_memory() -> int | None:
    """Bytes of memory in this machine; None where the system does not tell."""
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _not_a_model(header: Header) -> str:
    kind, name = header.text("general.type"), header.architecture
    if kind in TYPES or name in PROJECTORS:
        return TYPES.get(kind, TYPES["mmproj"])
    if name in DRAFTS:
        return "it drafts for another model"
    if header.number(f"{name}.pooling_type") or "bert" in name:
        return "it is a model of embeddings, which writes nothing"
    if not header.tensors:
        return "it holds a vocabulary and no weights"
    return ""


def _not_whole(header: Header) -> str:
    parts = header.number("split.count") or 0
    if parts > 1:
        return f"it is one of {parts} parts: join them with llama-gguf-split --merge"
    if header.missing:
        return f"it is not whole, {header.missing:,} bytes are missing: download it again"
    if not header.vocabulary:
        return "it has no vocabulary"
    if not header.text("tokenizer.chat_template"):
        return "it has no chat template: choose an instruction-tuned model"
    return ""
