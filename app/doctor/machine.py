"""Checks of this machine: Python, torch, and the device and number format of the local model."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path

from app import __version__
from app.doctor.check import Check, Verdict, failed, ok
from app.local import packages
from app.threads import in_thread

PYTHON = (3, 11)
CUDA_WHEELS = "https://pytorch.org/get-started/locally"


def python() -> Check:
    return Check("python", _python)


def checks(
    *,
    device: str,
    dtype: str,
    config_folder: Callable[[], Path | None],
    engine_cache: Path,
    leave_a_core: bool,
    loaded: bool = False,
) -> list[Check]:
    """`config_folder` gives the local model's folder, None if it is not downloaded yet; the others are the
    settings and the arguments of a ModelRunner. `loaded`: a model runs in this process, so that torch works,
    and an import that takes seconds would take them from replies."""
    untold = (
        "the number format it was loaded with" if loaded else "a number format that the first start chooses"
    )
    return [
        Check("torch", lambda: in_thread(_versions if loaded else _torch), seconds=120),
        Check(
            "device",
            lambda: in_thread(
                lambda: _device(device, dtype, config_folder(), engine_cache, leave_a_core, untold=untold)
            ),
            needs=("torch",),
            seconds=60,
        ),
    ]


async def _python() -> Verdict:
    """Checks the version of Python; needs no settings."""
    seen = f"Python {platform.python_version()}, costeer {__version__}"
    if tuple(map(int, platform.python_version_tuple()[:2])) < PYTHON:
        return failed(seen, "Install Python 3.11 or later, then costeer again.")
    return ok(seen)


def _torch() -> Verdict:
    if names := packages.absent():
        servers = "or set COSTEER_LOCAL_BASE_URL and COSTEER_REMOTE_BASE_URL to servers"
        return failed(f"Not installed: {', '.join(names)}.", f"{packages.command('local', names)}; {servers}")
    try:
        import torch  # noqa: PLC0415  # seconds
        import transformers  # noqa: F401, PLC0415
    except (ImportError, OSError) as error:
        name = getattr(error, "name", None) or "torch"
        return failed(f"{name} cannot be imported: {type(error).__name__}.", "make install")
    torch.zeros(1).add_(1)
    return _versions()


def _versions() -> Verdict:
    wanted = next(
        line for line in importlib.metadata.requires("costeer") or ["transformers"] if "transformers" in line
    )
    torch, transformers = (importlib.metadata.version(name) for name in ("torch", "transformers"))
    return ok(f"torch {torch}, transformers {transformers} ({wanted.partition(';')[0].strip()})")


def _device(
    wanted: str, dtype: str, folder: Path | None, engine_cache: Path, leave_a_core: bool, *, untold: str
) -> Verdict:
    import torch  # noqa: PLC0415

    from app.local.engine.dtype import known_dtype  # noqa: PLC0415
    from app.local.engine.loading import eight_bits, read_config  # noqa: PLC0415
    from app.local.engine.runner import compute_threads, cores, pick_device  # noqa: PLC0415

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(wanted, True):
        return failed(
            f"COSTEER_DEVICE={wanted}, but torch {torch.__version__} finds no such device here.",
            f"COSTEER_DEVICE=auto, or a torch built for it: {CUDA_WHEELS}",
        )
    device = pick_device(wanted)
    threads = compute_threads(leave_a_core)
    config = read_config(str(folder)) if folder is not None else None
    if config is not None and eight_bits(dtype, device, config):
        number = "8-bit weights"
    elif config is None and dtype == "auto":
        number = untold
    else:
        known = known_dtype(dtype, device, config, engine_cache / "dtype.json", threads)
        number = str(known).removeprefix("torch.") if known else "a dtype that the first start measures"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return ok(f"{name}, {number}, {threads} of {cores()} cores")
