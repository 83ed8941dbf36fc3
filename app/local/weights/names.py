"""Resolves a model's name in the settings: a bundle, a folder, a GGUF file (by its path, or by its name in
the folders of another program) or a hub id."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from pathlib import Path

from app.errors import WeightsError
from app.local.weights.bundles import BUNDLES
from app.local.weights.cache import pull, pull_file
from app.local.weights.files.places import PLACES, named_file
from app.local.weights.sources import SILENT, Progress

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(
    name_or_path: str, *, cache_dir: Path, weights_dir: Path | None = None, progress: Progress = SILENT
) -> str:
    """What transformers' from_pretrained takes: a folder, or the hub id unchanged.

    A bundle is pulled and a GGUF file converted if that has not been done yet. Raises WeightsError.
    """
    if bundle := BUNDLES.get(name_or_path):
        return str(pull(bundle, cache_dir=cache_dir, weights_dir=weights_dir, progress=progress))
    path = named_path(name_or_path)
    if path is None:
        return name_or_path
    if path.is_dir():
        return str(path)
    # Ollama's files are called by their SHA-256.
    label = path.name if name_or_path.endswith(path.name) else name_or_path
    return str(pull_file(path, cache_dir=cache_dir, progress=progress, label=label))


def named_path(name_or_path: str) -> Path | None:
    """The model folder or GGUF file so named, None for a hub id. Raises WeightsError if neither."""
    if (file := named_file(name_or_path)) is not None:
        return file
    path = Path(name_or_path)
    with suppress(RuntimeError):  # ~name of an unknown user
        path = path.expanduser()
    if name_or_path and path.is_dir():
        return _with_config(path)
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise WeightsError(f"{path} is neither a model folder nor a .gguf file")
        return path
    if _HUB_ID.fullmatch(name_or_path) and path.suffix.lower() != ".gguf":
        return None
    raise _unknown(name_or_path)


def _with_config(folder: Path) -> Path:
    if (folder / "config.json").is_file():
        return folder
    hint = next(
        (f"; for the GGUF file name it in full: {file}" for file in sorted(folder.glob("*.gguf"))), ""
    )
    raise WeightsError(f"{folder} is not a transformers model: it has no config.json{hint}")


def _unknown(name: str) -> WeightsError:
    close = difflib.get_close_matches(name.lower(), BUNDLES, n=1)
    question = f" Did you mean {close[0]}?" if close else _elsewhere(name)
    return WeightsError(
        f"{name!r} is neither a bundle, nor an existing folder or .gguf file, nor a hub id (org/name), nor "
        f"in `costeer models found`.{question} Bundles: {', '.join(BUNDLES)}."
    )


def _elsewhere(name: str) -> str:
    """A question for a name that another program knows: "qwen2.5:0.5b" without its "ollama:"."""
    known = (one.name for place in PLACES for one in place.located() if name)
    meant = next((one for one in known if one.partition(":")[2] in {name, f"{name}:latest"}), None)
    return f" Did you mean {meant}?" if meant else ""
