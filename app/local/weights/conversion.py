"""Converts a GGUF file to a transformers folder, which from_pretrained and a vLLM load in seconds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from app.local.weights.endings import endings
from app.local.weights.errors import ConversionFailed
from app.local.weights.files.header import read_header
from app.local.weights.soundness import check_tokenizer, check_weights, check_whole
from app.local.weights.stretching import stretch


def to_transformers(gguf: Path, folder: Path, eos_tokens: tuple[str, ...]) -> None:
    """Writes the model in bfloat16, its configuration and its tokenizer into `folder`.

    `eos_tokens` replace the one end-of-text token that GGUF names. If they are empty, nothing is known of
    the file: then they are found in it, and what was made of it is checked.
    Raises ConversionFailed, or OSError when `folder` cannot be written.
    """
    # These take seconds to import, and are needed only once.
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415

    with quiet():
        header = read_header(gguf)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        unknown = not eos_tokens
        if unknown:  # what the file is refused for, before the weights take a minute
            check_tokenizer(tokenizer, header)
            eos_tokens = endings(header, tokenizer)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
            local_files_only=True,
            output_loading_info=True,
        )
        model, told = loaded
        check_whole(model, told["missing_keys"], header)
        stretch(model.config, gguf, header)
        if unknown:
            check_weights(model, tokenizer)
        vocabulary = tokenizer.get_vocab()
        if missing := [token for token in eos_tokens if token not in vocabulary]:
            raise ConversionFailed(f"{gguf.name} has no token {', '.join(missing)}")
        model.generation_config.eos_token_id = [vocabulary[token] for token in eos_tokens]
        # Otherwise from_pretrained may derive it from config.json again, with one end-of-text token.
        model.generation_config._from_model_config = False
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    _make_portable(folder)


def _make_portable(folder: Path) -> None:
    """Lets other users of this computer, and releases of transformers before 5, load the folder too."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for leaked in ("is_local", "local_files_only"):
        config.pop(leaked, None)
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for weights in folder.glob("*.safetensors"):
        weights.chmod(path.stat().st_mode)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers' progress bars and warnings off the terminal."""
    from transformers.utils import logging  # noqa: PLC0415

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        # Its GGUF reader draws a bar that disable_progress_bar does not reach.
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
