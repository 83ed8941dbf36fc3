"""The number format: what is asked for, what is measured, and what is remembered of it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from app.local.engine import dtype
from app.local.engine.dtype import pick_dtype, seconds_of_a_reply
from app.local.engine.linear import PackedLinear, can_pack, pack

CPU = torch.device("cpu")


@dataclass
class Config:
    hidden_size: int = 64
    intermediate_size: int = 96


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[torch.dtype, float]:
    """What a reply takes, instead of a measurement; a test changes it."""
    took = {torch.float32: 1.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(dtype, "seconds_of_a_reply", lambda kind, _out, _into: took[kind])
    return took


def test_what_is_asked_for_is_taken() -> None:
    assert pick_dtype("float16", CPU) == torch.float16


def test_the_faster_is_taken_when_it_is_clearly_so(measured: dict[torch.dtype, float]) -> None:
    assert pick_dtype("auto", CPU, Config()) == torch.bfloat16
    measured[torch.bfloat16] = 0.95
    assert pick_dtype("auto", CPU, Config()) == torch.float32


def test_it_is_measured_once_for_each_size_of_model(
    measured: dict[torch.dtype, float], tmp_path: Path
) -> None:
    file = tmp_path / "cache" / "dtype.json"
    assert pick_dtype("auto", CPU, Config(), file) == torch.bfloat16
    measured[torch.bfloat16] = 2.0
    assert pick_dtype("auto", CPU, Config(), file) == torch.bfloat16
    assert pick_dtype("auto", CPU, Config(hidden_size=128), file) == torch.float32
    assert sorted(json.loads(file.read_text()).values()) == ["bfloat16", "float32"]


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"x": 1}'])
def test_a_file_that_is_damaged_is_written_anew(
    measured: dict[torch.dtype, float], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "dtype.json"
    file.write_text(content)
    assert pick_dtype("auto", CPU, Config(), file) == torch.bfloat16
    assert "bfloat16" in json.loads(file.read_text()).values()


def test_where_nothing_can_be_written_it_is_measured_all_the_same(
    measured: dict[torch.dtype, float], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert pick_dtype("auto", CPU, Config(), tmp_path / "file" / "dtype.json") == torch.bfloat16


def test_a_model_that_does_not_say_its_size_computes_in_float32() -> None:
    assert pick_dtype("auto", CPU, object()) == torch.float32


def test_a_measurement_takes_time() -> None:
    assert seconds_of_a_reply(torch.float32, 2048, 1024) > 0


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_computes_what_the_layer_did(kind: torch.dtype, bias: bool) -> None:
    if not can_pack(torch.empty(1, dtype=kind)):
        pytest.skip("this build of torch packs no such weights")
    torch.manual_seed(0)
    layer = nn.Linear(48, 80, bias=bias, dtype=kind).requires_grad_(False)
    packed = PackedLinear(layer)
    for shape in ((1, 1, 48), (2, 7, 48), (1, 0, 48)):
        x = torch.randn(shape, dtype=kind)
        torch.testing.assert_close(packed(x), layer(x), atol=2e-2, rtol=2e-2)


def test_packing_leaves_no_linear_layer_and_the_same_results() -> None:
    if not can_pack(torch.empty(1)):
        pytest.skip("this build of torch packs no weights")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Sequential(nn.Linear(64, 16)))
    model.requires_grad_(False)
    x = torch.randn(3, 32)
    before = model(x)
    pack(model)
    assert not [module for module in model.modules() if type(module) is nn.Linear]
    torch.testing.assert_close(model(x), before)
