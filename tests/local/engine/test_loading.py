"""Which decoder a model is loaded into."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    FalconConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Olmo2Config,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
)

from app.errors import WeightsError
from app.local.engine.decoder import Decoder
from app.local.engine.foreign import ForeignDecoder
from app.local.engine.int8.decoder import Int8Decoder
from app.local.engine.kv_cache import KVCache
from app.local.engine.loading import eos_ids, load, read_config
from app.local.engine.ragged import Part
from local.engine.small_models import FOREIGN, KNOWN, SHAPE, STATEFUL, close, made, passed

CPU = torch.device("cpu")


def loaded(folder: Path, config: Any, dtype: str, cache: Path | None = None) -> object:
    made(config).save_pretrained(folder)
    return again_loaded(folder, dtype, cache)


def again_loaded(folder: Path, dtype: str, cache: Path | None) -> object:
    path = str(folder)
    with torch.inference_mode():
        return load(path, read_config(path), CPU, dtype, threads=1, longest=64, cache=cache)


@pytest.mark.parametrize("dtype", ["auto", "int8"])
def test_a_known_family_is_computed_in_8_bits_on_a_cpu(dtype: str, tmp_path: Path) -> None:
    assert isinstance(loaded(tmp_path / "model", KNOWN["qwen3"], dtype), Int8Decoder)


def test_the_second_load_takes_what_the_first_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(tmp_path / "model", KNOWN["llama"], "auto", tmp_path / "cache")
    monkeypatch.setattr("app.local.engine.loading._model", None)  # the weights are not read again
    again = again_loaded(tmp_path / "model", "auto", tmp_path / "cache")
    assert isinstance(again, Int8Decoder)


@pytest.mark.parametrize("name", ["graph.onnx", "embedding.npy"])
def test_a_damaged_network_is_written_anew(name: str, tmp_path: Path) -> None:
    loaded(tmp_path / "model", KNOWN["llama"], "auto", tmp_path / "cache")
    [file] = (tmp_path / "cache").rglob(name)
    file.write_bytes(bytes(file.stat().st_size))
    again = again_loaded(tmp_path / "model", "auto", tmp_path / "cache")
    assert isinstance(again, Int8Decoder)


def test_a_dtype_that_is_asked_for_is_computed_by_torch(tmp_path: Path) -> None:
    assert isinstance(loaded(tmp_path / "model", KNOWN["llama"], "float32"), Decoder)


def test_another_family_is_computed_by_transformers(tmp_path: Path) -> None:
    assert isinstance(loaded(tmp_path / "model", Olmo2Config(**SHAPE), "float32"), ForeignDecoder)
    with pytest.raises(WeightsError, match="COSTEER_DTYPE"):
        loaded(tmp_path / "model", Olmo2Config(**SHAPE), "int8")


def test_the_ends_of_a_text_are_those_of_its_generation_config_or_else_of_its_config(tmp_path: Path) -> None:
    model = made(KNOWN["llama"])
    model.generation_config.eos_token_id = [4, 9]
    model.save_pretrained(tmp_path)
    config = read_config(str(tmp_path))
    assert eos_ids(str(tmp_path), config) == {4, 9}
    (tmp_path / "generation_config.json").unlink()
    config.eos_token_id = 7
    assert eos_ids(str(tmp_path), config) == {7}


VISION = {"hidden_size": 32, "intermediate_size": 32}
SEEING: dict[str, Any] = {
    "qwen3_5": lambda: Qwen3_5ForConditionalGeneration(
        Qwen3_5Config(
            text_config=STATEFUL["qwen3_5"].to_dict(),
            vision_config={**VISION, "depth": 1, "num_heads": 2, "out_hidden_size": 96},
        )
    ),
    "gemma3": lambda: Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config=KNOWN["gemma3"].to_dict(),
            vision_config={
                **VISION,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 28,
                "patch_size": 14,
            },
        )
    ),
    "gemma4": lambda: Gemma4ForConditionalGeneration(
        Gemma4Config(
            text_config=FOREIGN["gemma4"].to_dict(),
            vision_config={**VISION, "num_hidden_layers": 1, "num_attention_heads": 2},
            audio_config=None,
        )
    ),
}


@pytest.mark.parametrize("name", SEEING)
def test_of_a_model_that_sees_the_part_for_text_is_loaded(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SEEING[name]().eval()
    model.save_pretrained(tmp_path)
    decoder: Any = again_loaded(tmp_path, "float32", None)
    ids = list(range(20))
    with torch.inference_mode():
        [got] = passed(decoder, [Part(KVCache(), ids, len(ids))])
        wanted = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    close(got, wanted)


def test_weights_that_lack_a_layer_are_refused(tmp_path: Path) -> None:
    made(KNOWN["llama"]).save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    more = re.sub(r'"num_hidden_layers": \d+', '"num_hidden_layers": 4', config.read_text())
    config.write_text(more)
    with pytest.raises(WeightsError, match=r"lack model\.layers\.3"):
        again_loaded(tmp_path, "float32", None)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (FalconConfig(vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=2), "replaced"),
        (BloomConfig(vocab_size=97, hidden_size=32, n_layer=2, n_head=2), "not known here"),
    ],
)
def test_a_family_whose_attention_is_computed_otherwise_is_refused(
    config: Any, why: str, tmp_path: Path
) -> None:
    made(config).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=why):
        again_loaded(tmp_path, "auto", None)
