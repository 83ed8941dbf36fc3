"""Which models in GGUF files can be the small model, by llama.cpp's name of their architecture."""

from __future__ import annotations

# Those whose files transformers reads and whose layers are computed here: transformers' `model_type`. Written
# down, since asking both takes the seconds in which torch is imported; a test asks them.
COMPUTED = {
    "gemma2": "gemma2",
    "gemma3": "gemma3_text",
    "gemma4": "gemma4_text",
    "gpt2": "gpt2",
    "lfm2": "lfm2",
    "llama": "llama",
    "minimax-m2": "minimax_m2",
    "phi3": "phi3",
    "qwen2": "qwen2",
    "qwen2moe": "qwen2_moe",
    "qwen3": "qwen3",
    "qwen35": "qwen3_5_text",
    "qwen35moe": "qwen3_5_moe_text",
    "qwen3moe": "qwen3_moe",
    "starcoder2": "starcoder2",
}
# Read, and then refused when the model is loaded.
NOT_COMPUTED = {
    "bloom": "bloom",
    "falcon": "falcon",
    "gpt-oss": "gpt_oss",
    "mamba": "mamba",
    "nemotron": "nemotron",
    "stablelm": "stablelm",
}
# Read, and no language models that write on.
NOT_WRITING = {"deci", "t5"}


def objection(architecture: str) -> str:
    """Why a model of it cannot be taken, as the end of a sentence; empty for one that can."""
    shown = repr(architecture[:40])
    if architecture in COMPUTED:
        return ""
    if architecture in NOT_COMPUTED:
        return f"the layers of the architecture {shown} cannot be computed here"
    if architecture in NOT_WRITING:
        return f"a model of the architecture {shown} does not write on from a text"
    return f"files of the architecture {shown} cannot be read here: name the model's hub id"
