"""Loads a model into the decoder that computes it fastest here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, GenerationConfig

from app.errors import WeightsError
from app.local.engine.decoder import Decoder
from app.local.engine.dtype import INT8, pick_dtype
from app.local.engine.families import FAMILIES, known, unsupported_kinds
from app.local.engine.int8 import store
from app.local.engine.int8.decoder import Int8Decoder
from app.local.engine.int8.notes import computable
from app.local.engine.memory import trim
from app.local.engine.ragged import RaggedBatch

# Extends the caches of a batch by its tokens; returns log-probabilities [kept, V] where it asks for them.
Forward = Callable[[RaggedBatch], torch.Tensor]

# The names of a text model's weights in a file that has others for images or sound as well.
_TEXT_PART = {r"^(model\.)?language_model\.(model\.)?": "model."}


def load(
    path: str,
    config: Any,
    device: torch.device,
    dtype: str,
    *,
    threads: int,
    longest: int,
    cache: Path | None = None,
) -> Forward:
    """The decoder of the model at `path`, a folder or hub id, which has this `config`. Raises WeightsError
    with what to change.

    `dtype` is a dtype's name, "int8", or "auto": 8 bits on a CPU for the families that can be, else the
    fastest dtype. What is made for that is kept in the folder `cache`. A sequence has at most `longest`
    positions, and a pass takes so many `threads`.
    """
    if eight_bits(dtype, device, config):
        decoder = _int8(path, cache, threads, longest)
        if decoder is not None:
            return decoder
    if dtype == INT8:
        raise WeightsError(
            f"The model {path} cannot be computed with 8-bit weights on the device {device.type}. Leave "
            "COSTEER_DTYPE unset: then what the model and the device can do is chosen."
        )
    from app.local.engine.foreign import ForeignDecoder  # noqa: PLC0415  # see _model
    from app.local.engine.trial import objection  # noqa: PLC0415  # likewise

    chosen = pick_dtype(dtype, device, config, cache and cache / "dtype.json")
    model = _model(path, chosen).to(device)
    if known(model):
        return Decoder(model)
    foreign = ForeignDecoder(model)
    # A wrong log-probability would steer, and nobody would notice.
    if strange := objection(foreign, model.config, device):
        raise _unsupported(path, strange)
    return foreign


def eight_bits(dtype: str, device: torch.device, config: Any) -> bool:
    """Whether a model of this `config` is to be computed with 8-bit weights, if nothing was added to it."""
    family = getattr(config, "model_type", None) in FAMILIES
    return dtype in ("auto", INT8) and device.type == "cpu" and family and computable(config)


def read_config(path: str) -> Any:
    """The model's configuration. Raises WeightsError for a model that cannot run here."""
    with _errors(path):
        config = _text_config(AutoConfig.from_pretrained(path))
    if others := unsupported_kinds(config):
        raise _unsupported(path, f"layers of kind {', '.join(sorted(others))}")
    return config


def eos_ids(path: str, config: Any) -> frozenset[int]:
    """The ids that end a text of this model."""
    try:
        generation = GenerationConfig.from_pretrained(path)
    except OSError:  # it has none of its own
        generation = GenerationConfig.from_model_config(config)
    eos = generation.eos_token_id
    return frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])


def _text_config(config: Any) -> Any:
    """The configuration of a model's part for text, if it has others for images or sound as well."""
    text = config.get_text_config(decoder=True)
    if text is not config:
        text.tie_word_embeddings = config.tie_word_embeddings
    return text


def _int8(path: str, cache: Path | None, threads: int, longest: int) -> Int8Decoder | None:
    """None for a model of a known family to which something was added."""
    if cache is None:
        # What is loaded stays mapped when the files are gone; Windows keeps them until the process ends.
        with TemporaryDirectory(prefix="costeer-", ignore_cleanup_errors=True) as temporary:
            return _int8(path, Path(temporary), threads, longest)
    folder = store.find(path, cache)
    if folder is not None:
        try:
            return Int8Decoder(folder, threads=threads, longest=longest)
        except Exception:  # whatever a damaged file is refused with
            store.drop(path, cache)
    source = store.source(path)
    model = _model(path, "auto")
    if not known(model):
        return None
    folder = store.write(model, path, cache, source)
    del model
    trim()
    return Int8Decoder(folder, threads=threads, longest=longest)


def _model(path: str, dtype: torch.dtype | str) -> Any:
    # These take seconds and 100 MB, and are not needed where the weights are kept in 8 bits.
    from transformers import AutoModelForCausalLM  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    from app.local.engine.foreign import ATTENTION  # noqa: PLC0415

    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the caller has its own
    try:
        with _errors(path):
            whole = AutoConfig.from_pretrained(path)
            config = _text_config(whole)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                path,
                config=config,
                key_mapping=None if config is whole else _TEXT_PART,
                dtype=dtype,
                attn_implementation=ATTENTION,
                output_loading_info=True,
            )
            model, told = loaded
            if told["missing_keys"]:
                raise ValueError(f"Its weights lack {min(told['missing_keys'])}.")
    except KeyError as error:
        if ATTENTION not in error.args:
            raise
        raise _unsupported(path, "attention that cannot be replaced") from error  # as Falcon's
    finally:
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    return model.requires_grad_(False)


def _unsupported(path: str, strange: str) -> WeightsError:
    return WeightsError(
        f"The model {path} has {strange}, which cannot be computed here. Choose one of "
        "`costeer models list`, or another with full or sliding attention in its layers."
    )


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, StrictDataclassError) as error:
        raise WeightsError(
            f"The model {path} cannot be loaded: {str(error).strip().splitlines()[0]} "
            "Set it to a bundle of `costeer models list`, a hub id, or a folder with transformers' files."
        ) from error
