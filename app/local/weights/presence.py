"""Whether a model's weights are here and complete, and what a start would download; downloads nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.errors import WeightsError
from app.local.weights.bundles import BUNDLES, Bundle
from app.local.weights.cache import (
    converted_file,
    converted_size,
    installed,
    model_folder,
    needed,
    require_suitable,
)
from app.local.weights.names import named_path

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


@dataclass(frozen=True)
class Presence:
    """Where a model's folder is, ready to be loaded; `folder` is None if the model has to be fetched first.

    Then `source` says from where, `download` how many bytes are downloaded (None: not known) and `space` how
    many bytes of disk it needs.
    """

    name: str
    folder: Path | None
    source: str = ""
    download: int | None = 0
    space: int = 0


def presence(
    name: str, *, cache_dir: Path, weights_dir: Path | None = None, weights: bool = True
) -> Presence:
    """The presence of a model that the settings name; without `weights`, of its tokenizer alone. Raises
    WeightsError for what `resolve` would refuse, and for a folder that lacks files."""
    if bundle := BUNDLES.get(name):
        return _of_bundle(bundle, cache_dir, weights_dir)
    path = named_path(name)
    if path is None:
        return _of_hub(name, weights=weights)
    if path.is_dir():
        return Presence(name, _whole(path, weights=weights))
    if (folder := converted_file(path, cache_dir)) is not None:
        return Presence(name, folder)
    require_suitable(path)
    return Presence(name, None, f"the file {path}, converted", space=converted_size(path))


def is_file(name: str) -> bool:
    """Whether the settings name a GGUF file, which `presence` reads whole."""
    with suppress(WeightsError):
        path = None if name in BUNDLES else named_path(name)
        return path is not None and path.is_file()
    return False


def _of_bundle(bundle: Bundle, cache_dir: Path, weights_dir: Path | None) -> Presence:
    if installed(bundle, cache_dir):
        return Presence(bundle.name, model_folder(cache_dir, bundle.name))
    space = needed(bundle, cache_dir, weights_dir)
    own = weights_dir / bundle.filename if weights_dir is not None else None
    if own is not None and own.is_file():
        return Presence(bundle.name, None, f"the file {own}, converted", space=space)
    labels = " or ".join(source.label for source in bundle.sources)
    return Presence(bundle.name, None, labels, space - bundle.converted_size, space)


def _of_hub(name: str, *, weights: bool) -> Presence:
    """A hub model: the folder in transformers' own cache, or what it would download."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415  # slow to import
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
        return Presence(name, _whole(folder, weights=weights))
    except (LocalEntryNotFoundError, WeightsError):
        return Presence(name, None, f"Hugging Face hub ({name})", download=None)


def _whole(folder: Path, *, weights: bool) -> Path:
    """The folder. Raises WeightsError unless it holds what is loaded of it."""
    missing = _missing(folder, weights=weights)
    if missing:
        raise WeightsError(f"{folder} is not complete: it has no {missing}. Copy the model again.")
    return folder


def _missing(folder: Path, *, weights: bool) -> str | None:
    if not any((folder / name).is_file() for name in TOKENIZERS):
        return "tokenizer.json"
    if not weights:
        return None
    indices = sorted(folder.glob("*.index.json"))
    try:
        parts = {str(part) for one in indices for part in json.loads(one.read_bytes())["weight_map"].values()}
    except (ValueError, KeyError, AttributeError):
        return f"index of its weights that can be read ({indices[0].name})"
    absent = sorted(part for part in parts if not (folder / part).is_file())
    if absent:
        return absent[0]
    whole = any(folder.glob("*.safetensors")) or any(folder.glob("*.bin"))
    return None if whole else "model.safetensors"
