"""Small models that are recommended, each with the remotes that it goes with, and what to expect."""

from __future__ import annotations

from dataclasses import dataclass

# Bytes of a weight in 8 bits with what is kept in more: 1.24 to 1.52 with the bundles.
EIGHT_BITS = 1.5
FLOAT32 = 4.0
SAME, FAMILY, BYTES = "the same", "of one family, compared at the start", "another: by bytes"
UNMEASURED = "not measured"


@dataclass(frozen=True)
class Pair:
    """`local` is what COSTEER_LOCAL_MODEL takes: a bundle or a hub id. `model_type` is transformers' name of
    its family, and `weights` their number. `expect` says only what docs/benchmarks.md and docs/evaluation.md
    have measured."""

    local: str
    remotes: str
    tokenizer: str
    license: str
    model_type: str
    weights: int
    expect: str = UNMEASURED
    bytes_a_weight: float = EIGHT_BITS  # FLOAT32 for families that are not computed in 8 bits

    @property
    def memory(self) -> int:
        """Bytes of its weights on a processor, at most."""
        return int(self.bytes_a_weight * self.weights)


RECOMMENDED = (
    Pair(
        "qwen2.5-coder-0.5b-instruct",
        "Qwen/Qwen2.5-Coder-1.5B-Instruct",
        SAME,
        "Apache-2.0",
        "qwen2",
        630_000_000,
        "0.57 to 0.70 of the remote's own pace on two cores",
    ),
    Pair(
        "qwen2.5-coder-1.5b-instruct",
        "Qwen/Qwen2.5-Coder-7B-Instruct and larger",
        FAMILY,
        "Apache-2.0",
        "qwen2",
        1_780_000_000,
        "twice the time of the 0.5B for a pass",
    ),
    Pair(
        "smollm2-135m-instruct",
        "any",
        BYTES,
        "Apache-2.0",
        "llama",
        135_000_000,
        "half the time of the 0.5B for a pass, and less steering",
    ),
    Pair("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B and others of Qwen3", FAMILY, "Apache-2.0", "qwen3", 600_000_000),
    Pair(
        "google/gemma-3-270m-it",
        "google/gemma-3-27b-it and others",
        FAMILY,
        "Gemma",
        "gemma3_text",
        270_000_000,
    ),
    Pair(
        "google/gemma-3-1b-it",
        "google/gemma-3-27b-it and others",
        FAMILY,
        "Gemma",
        "gemma3_text",
        1_000_000_000,
    ),
    Pair(
        "Qwen/Qwen3.5-0.8B",
        "Qwen/Qwen3.5-9B and others of Qwen3.5",
        FAMILY,
        "Apache-2.0",
        "qwen3_5_text",
        760_000_000,
        bytes_a_weight=FLOAT32,
    ),
    Pair(
        "LiquidAI/LFM2-350M",
        "LiquidAI/LFM2-8B-A1B and others of LFM2",
        FAMILY,
        "LFM Open 1.0",
        "lfm2",
        354_000_000,
        bytes_a_weight=FLOAT32,
    ),
    Pair(
        "ibm-granite/granite-4.0-h-350m",
        "ibm-granite/granite-4.0-h-small and others",
        FAMILY,
        "Apache-2.0",
        "granitemoehybrid",
        340_000_000,
        bytes_a_weight=FLOAT32,
    ),
    Pair(
        "meta-llama/Llama-3.2-1B-Instruct",
        "meta-llama/Llama-3.1-8B-Instruct and others",
        FAMILY,
        "Llama 3.2 Community",
        "llama",
        1_230_000_000,
    ),
)


def rows() -> list[tuple[str, ...]]:
    """The table of `costeer models list` and of docs/models.md."""
    return [
        (one.local, one.remotes, one.tokenizer, one.license, f"{one.memory / 1e9:.1f} GB", one.expect)
        for one in RECOMMENDED
    ]
