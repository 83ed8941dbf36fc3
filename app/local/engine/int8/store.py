"""Written networks in a cache folder: one for each model, written anew once the model has changed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock
from transformers.utils.hub import cached_file

from app.errors import WeightsError
from app.local.engine.int8.blocks import BLOCK
from app.local.engine.int8.notes import EMBEDDING, GRAPH, SLOTS, WEIGHTS

FORMAT = 2  # increment when what is written changes; older networks are then written again
MARKER = "made-of.json"
REVISION = re.compile("[0-9a-f]{40}")  # of a hub's snapshot, which never changes
Source = dict[str, Any]
SUFFIXES = {".safetensors", ".bin"}  # of a model's weights


def find(path: str, cache: Path) -> Path | None:
    """The folder of the network of the model at `path`, a folder or hub id; None if it is not written yet, or
    of what the model was before."""
    folder = _folder(path, cache)
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        whole = marker == _marker(source(path), folder)
    except (OSError, ValueError, RecursionError):
        return None
    return folder if whole else None


def write(model: Any, path: str, cache: Path, source: Source) -> Path:
    """Write the network of a `model` that was loaded from `path`; returns its folder, which appears whole or
    not at all. `source` is what `path` held before it was loaded. Raises WeightsError when it cannot be
    written."""
    from app.local.engine.int8.network import write_network  # noqa: PLC0415  # onnx, needed once

    folder = _folder(path, cache)
    unfinished = folder.with_name(f"{folder.name}.tmp")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{folder.name}.lock"):
            if (found := find(path, cache)) is not None:  # by another process, meanwhile
                return found
            shutil.rmtree(unfinished, ignore_errors=True)
            try:
                unfinished.mkdir()
                write_network(model, unfinished)
                marker = json.dumps(_marker(source, unfinished), indent=1)
                (unfinished / MARKER).write_text(marker, encoding="utf-8")
                shutil.rmtree(folder, ignore_errors=True)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise WeightsError(
            f"The 8-bit weights of {Path(path).name} cannot be written below {cache}: "
            f"{error.strerror or error}. Make room, set COSTEER_CACHE_DIR to a folder elsewhere, or "
            "COSTEER_DTYPE=bfloat16, which needs none."
        ) from error
    return folder


def drop(path: str, cache: Path) -> None:
    """Remove the network of a model."""
    shutil.rmtree(_folder(path, cache), ignore_errors=True)


def source(path: str) -> Source:
    """What tells one state of a model's files from another: its configuration, and its weights' names, sizes
    and times, or the revision of a hub."""
    config = Path(path, "config.json")
    if not Path(path).is_dir():
        config = Path(str(cached_file(path, "config.json")))
    if config.parent.parent.name == "snapshots" and REVISION.fullmatch(config.parent.name):
        weights: list[Any] = [config.parent.name]
    else:
        files = sorted(one for one in config.parent.iterdir() if one.suffix in SUFFIXES)
        weights = [[one.name, one.stat().st_size, one.stat().st_mtime_ns] for one in files]
    return {"config": hashlib.sha256(config.read_bytes()).hexdigest(), "weights": weights}


def _folder(path: str, cache: Path) -> Path:
    place = str(Path(path).resolve()) if Path(path).is_dir() else path
    return cache / f"{Path(place).name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _marker(source: Source, folder: Path) -> dict[str, Any]:
    """What the network in `folder` is made of, and the sizes of its files: another format, other weights or a
    file that was cut off make another network."""
    sizes = {name: (folder / name).stat().st_size for name in (GRAPH, WEIGHTS, EMBEDDING)}
    return {"format": [FORMAT, BLOCK, SLOTS], **source, "files": sizes}
