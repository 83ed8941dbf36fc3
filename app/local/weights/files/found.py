"""The GGUF files that are on this machine, each with what it holds and whether it can be taken."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.errors import WeightsError
from app.local.weights.files.header import Header, read_header
from app.local.weights.files.places import PLACES, Located, files_below, placed
from app.local.weights.files.suitability import machine_memory, memory, obstacle


@dataclass(frozen=True)
class FoundFile:
    """A GGUF file. `name` is what COSTEER_LOCAL_MODEL takes. `size` is in bytes, `parameters` counts weights;
    both are 0 where they are not known. `obstacle` says why it cannot be taken, else empty, and `warning`
    what speaks against it."""

    name: str
    path: Path
    size: int = 0
    architecture: str = ""
    parameters: int = 0
    quantization: str = ""
    obstacle: str = ""
    warning: str = ""


def found(weights_dir: Path | None = None) -> list[FoundFile]:
    """Every file in the folders of the other programs, and in `weights_dir`. Reads headers alone."""
    located = [one for place in PLACES for one in place.located()]
    if weights_dir is not None:
        located += [placed(str(path), path) for path in files_below(weights_dir)]
    return [_read(one) for one in _once(located)]


def names() -> list[str]:
    """The names alone, for a shell to complete."""
    return [one.name for place in PLACES for one in place.located() if not one.wrong]


def closed() -> list[Path]:
    """Folders of the other programs that this user may not read."""
    folders = []
    for place in PLACES:
        for folder in place.folders():
            try:
                os.scandir(folder).close()
            except PermissionError:
                folders.append(folder)
            except OSError:  # it is not there
                continue
    return folders


def _once(located: Iterable[Located]) -> list[Located]:
    """Each file under its first name."""
    seen: dict[str, Located] = {}
    for one in located:
        seen.setdefault(one.name if one.wrong else os.path.realpath(one.path), one)
    return list(seen.values())


def _read(one: Located) -> FoundFile:
    if one.wrong:
        return FoundFile(one.name, one.path, obstacle=one.wrong)
    try:
        size, header = one.path.stat().st_size, read_header(one.path)
    except WeightsError as error:
        why = error.message.replace(str(one.path), "it").rstrip(".")
        return FoundFile(one.name, one.path, obstacle=why)
    except OSError as error:
        return FoundFile(one.name, one.path, obstacle=f"it cannot be read: {error.strerror}")
    return FoundFile(
        one.name,
        one.path,
        size,
        header.architecture,
        header.parameters,
        _quantization(header),
        obstacle(header),
        _large(header),
    )


def _large(header: Header) -> str:
    needed, there = memory(header), _machine_memory()
    if there is None or needed <= there:
        return ""
    return f"to convert it takes {needed / 1e9:.0f} GB of memory, and this machine has {there / 1e9:.0f}"


_machine_memory = cache(machine_memory)


def _quantization(header: Header) -> str:
    """Llama.cpp's name for how its weights are stored, such as Q4_K_M."""
    from gguf.constants import GGMLQuantizationType, LlamaFileType  # noqa: PLC0415  # numpy

    kind = header.number("general.file_type")
    with suppress(ValueError):
        if kind is not None:
            return LlamaFileType(kind).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    most = Counter(one.kind for one in header.tensors.values()).most_common(1)
    return GGMLQuantizationType(most[0][0]).name if most else ""
