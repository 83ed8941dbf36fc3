"""Python, torch and the device are told as a start would find them, and nothing is measured or loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from app.doctor import machine
from app.doctor.check import Finding, State
from app.local.engine.dtype import pick_dtype
from app.local.engine.loading import read_config
from app.local.engine.runner import compute_threads
from doctor.folders import model_folder
from doctor.verdicts import findings


async def looked(tmp_path: Path, **options: Any) -> dict[str, Finding]:
    given: dict[str, Any] = {"device": "cpu", "dtype": "auto", "config_folder": lambda: None}
    given |= {"engine_cache": tmp_path, "leave_a_core": False, **options}
    return await findings([machine.python(), *machine.checks(**given)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "model")


async def test_versions_are_told(tmp_path: Path) -> None:
    found = await looked(tmp_path)
    assert found["python"].seen.startswith("Python 3.")
    assert torch.__version__ in found["torch"].seen
    assert {finding.state for finding in found.values()} == {State.OK}


async def test_a_python_that_is_too_old_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PYTHON", (9, 0))
    assert (await looked(tmp_path))["python"].state is State.FAILED


async def test_a_model_of_a_usual_family_has_8_bit_weights(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.local.engine.loading.computable", lambda config: True)
    assert "8-bit weights" in (await looked(tmp_path, config_folder=lambda: folder))["device"].seen


async def test_a_number_format_that_was_not_measured_yet_is_not_measured_now(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = (await looked(tmp_path, config_folder=lambda: folder))["device"].seen
    assert "the first start measures" in seen
    assert not (tmp_path / "dtype.json").exists()


async def test_one_that_was_measured_is_told_as_a_start_takes_it(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.local.engine.dtype._fastest", lambda out, into: torch.bfloat16)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    config = read_config(str(folder))
    chosen = pick_dtype("auto", torch.device("cpu"), config, tmp_path / "dtype.json")
    monkeypatch.setattr("app.local.engine.runner.compute_threads", lambda leave: 3)
    seen = (await looked(tmp_path, config_folder=lambda: folder))["device"].seen
    assert chosen is torch.bfloat16
    assert "bfloat16" in seen


async def test_the_setting_s_own_number_format_is_told(tmp_path: Path) -> None:
    assert "float16" in (await looked(tmp_path, dtype="float16"))["device"].seen


async def test_a_device_that_is_not_here_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    finding = (await looked(tmp_path, device="cuda"))["device"]
    assert finding.state is State.FAILED
    assert "COSTEER_DEVICE=auto" in finding.mend


async def test_a_model_that_cannot_run_here_fails(tmp_path: Path, folder: Path) -> None:
    layers = {"model_type": "olmo3", "layer_types": ["chunked_attention"], "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps(layers))
    finding = (await looked(tmp_path, config_folder=lambda: folder))["device"]
    assert finding.state is State.FAILED
    assert "chunked_attention" in finding.seen


def test_a_vllm_on_this_machine_is_left_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr("app.local.engine.runner.cores", lambda: 2)
    assert [compute_threads(leave) for leave in (False, True)] == [2, 1]
