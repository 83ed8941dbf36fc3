"""A folder as transformers wants it, as far as looking at it goes."""

from __future__ import annotations

import json
from pathlib import Path

CONFIG = {"model_type": "llama", "hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2}


def model_folder(path: Path) -> Path:
    path.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (path / name).write_text(json.dumps(CONFIG))
    return path
