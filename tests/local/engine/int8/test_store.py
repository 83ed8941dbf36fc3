"""Networks in the cache folder: written once for each state of a model's files, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from app.errors import WeightsError
from app.local.engine.int8 import store
from local.engine.small_models import KNOWN, made


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    made(KNOWN["llama"]).save_pretrained(folder)
    return folder


def written(path: Path, cache: Path) -> Path:
    with torch.inference_mode():
        return store.write(made(KNOWN["llama"]), str(path), cache, store.source(str(path)))


def test_what_is_written_is_found(saved: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert store.find(str(saved), cache) is None
    folder = written(saved, cache)
    assert store.find(str(saved), cache) == folder
    assert not [one for one in cache.iterdir() if one.suffix == ".tmp"]


def test_a_model_that_has_changed_is_written_anew_in_the_same_place(saved: Path, tmp_path: Path) -> None:
    folder = written(saved, tmp_path / "cache")
    [weights] = saved.glob("*.safetensors")
    os.utime(weights, (1, 1))
    assert store.find(str(saved), tmp_path / "cache") is None
    assert written(saved, tmp_path / "cache") == folder
    config = saved / "config.json"
    config.write_text(config.read_text().replace("512", "256"))
    assert store.find(str(saved), tmp_path / "cache") is None


def test_a_file_that_was_cut_off_is_written_anew(saved: Path, tmp_path: Path) -> None:
    folder = written(saved, tmp_path / "cache")
    with (folder / "weights.bin").open("r+b") as file:
        file.truncate(100)
    assert store.find(str(saved), tmp_path / "cache") is None
    assert written(saved, tmp_path / "cache") == folder
    assert store.find(str(saved), tmp_path / "cache") == folder


def test_models_of_the_same_name_have_networks_of_their_own(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "model"
    made(KNOWN["llama"]).save_pretrained(other)
    assert written(saved, tmp_path / "cache") != written(other, tmp_path / "cache")


def test_a_write_that_fails_leaves_nothing(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_model: object, folder: Path) -> None:
        (folder / "weights.bin").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.local.engine.int8.network.write_network", full)
    with pytest.raises(WeightsError, match="No space left"):
        written(saved, tmp_path / "cache")
    assert store.find(str(saved), tmp_path / "cache") is None
    assert not [one for one in (tmp_path / "cache").iterdir() if one.is_dir()]
