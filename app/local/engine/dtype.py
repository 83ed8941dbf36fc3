"""Which dtype a model computes in here: measured once on a CPU, by rule on a GPU, and remembered."""

from __future__ import annotations

import json
import platform
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from app.local.engine.linear import PackedLinear, can_pack

INT8 = "int8"  # weights in 8 bits, see int8/; not a dtype that torch computes in
CANDIDATES = (torch.float32, torch.bfloat16)
# Tokens of a pass to their weight: a reply is 128 decode passes, and two passes prefill a prompt of 512.
PASSES = {4: 128, 256: 2}
# float32 rounds less, so another dtype has to be clearly faster.
CLEARLY = 1.2
WEIGHTS = 64 << 20  # parameters per measurement, at least: more than the CPU's caches hold


def pick_dtype(
    wanted: str, device: torch.device, config: Any = None, remembered: Path | None = None
) -> torch.dtype:
    """`wanted` is a dtype's name, or `auto`: the fastest here for a model of this `config`.

    Results are kept in the JSON file `remembered`, by CPU, threads, torch version and size of the model.
    """
    known = known_dtype(wanted, device, config, remembered)
    if known is not None:
        return known
    fastest = _fastest(config.intermediate_size, config.hidden_size)
    _write(remembered, {**_read(remembered), _key(config, torch.get_num_threads()): _name(fastest)})
    return fastest


def known_dtype(
    wanted: str,
    device: torch.device,
    config: Any = None,
    remembered: Path | None = None,
    threads: int | None = None,
) -> torch.dtype | None:
    """The dtype that `pick_dtype` takes when torch uses so many `threads`; None where it would measure."""
    if wanted != "auto":
        dtype: torch.dtype = getattr(torch, wanted)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    shape = getattr(config, "intermediate_size", None), getattr(config, "hidden_size", None)
    if not all(isinstance(size, int) for size in shape):
        return torch.float32
    name = _read(remembered).get(_key(config, threads or torch.get_num_threads()))
    return next((candidate for candidate in CANDIDATES if _name(candidate) == name), None)


def seconds_of_a_reply(dtype: torch.dtype, out: int, into: int) -> float:
    """Seconds that the matrix products of a reply take in this dtype, per layer with weights [out, into]."""
    count = max(2, WEIGHTS // (out * into))
    layers: list[nn.Module] = []
    for _ in range(count):
        linear = nn.Linear(into, out, bias=False, dtype=dtype).requires_grad_(False)
        layers.append(PackedLinear(linear) if can_pack(linear.weight) else linear)
    total = 0.0
    for tokens, times in PASSES.items():
        x = torch.ones(tokens, into, dtype=dtype)
        took = []
        for _ in range(4):  # the first run warms the CPU's caches
            started = time.perf_counter()
            for layer in layers:
                layer(x)
            took.append(time.perf_counter() - started)
        total += times * statistics.median(took[1:])
    return total / count


@torch.inference_mode()
def _fastest(out: int, into: int) -> torch.dtype:
    took = {dtype: seconds_of_a_reply(dtype, out, into) for dtype in CANDIDATES}
    plain = CANDIDATES[0]
    best = min(CANDIDATES, key=took.__getitem__)
    return best if took[plain] > CLEARLY * took[best] else plain


def _key(config: Any, threads: int) -> str:
    setting = f"{_processor()}, {threads} threads, torch {torch.__version__}"
    return f"{setting}, {config.intermediate_size} x {config.hidden_size}"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _read(path: Path | None) -> dict[str, Any]:
    if path is not None:
        with suppress(OSError, ValueError):
            known = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(known, dict):
                return known
    return {}


def _write(path: Path | None, known: dict[str, Any]) -> None:
    if path is not None:
        with suppress(OSError):  # then it is measured again next time
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(known, indent=1), encoding="utf-8")
