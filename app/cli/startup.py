"""What `costeer serve` says before it loads anything: what is where, and what a first start takes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from app import __version__
from app.cli.terminal import counted
from app.errors import SettingsError, StoreError
from app.local import packages
from app.local.weights import BUNDLES, Presence, disk, presence
from app.network.address import without_user
from app.profiles.store.inspection import profile_ids
from app.settings.layers import Origin
from app.settings.settings import EMBEDDED, Settings

# What a model's 8-bit weights take of the disk, at most, as a share of the folder that they are made of and
# stay beside: 0.62 to 0.76 with the bundles.
ENGINE_SHARE = 0.8
ON_A_PROCESSOR = {"auto", "cpu"}
IN_8_BITS = {"auto", "int8"}

IN_THIS_PROCESS = (
    "COSTEER_WORKERS={workers} needs the small model on a server of your own and a vLLM as the remote: each "
    "worker would load the weights of {models} for itself. Set COSTEER_LOCAL_BASE_URL (and "
    "COSTEER_REMOTE_BASE_URL), or COSTEER_WORKERS=1."
)
ON_WINDOWS = "COSTEER_WORKERS: several workers cannot share a port on Windows. Set COSTEER_WORKERS=1."

Line = tuple[str, str]


def require_sharing(settings: Settings) -> None:
    """Raises SettingsError where the settings name several workers that cannot be."""
    if settings.workers > 1 and (names := settings.model_names()):
        raise SettingsError(IN_THIS_PROCESS.format(workers=settings.workers, models=" and ".join(names)))
    if settings.workers > 1 and sys.platform == "win32":
        raise SettingsError(ON_WINDOWS)


def require_packages(settings: Settings) -> None:
    """Raises NotInstalled where a model should run in this process and cannot."""
    if settings.model_names():
        packages.require()


def models(settings: Settings) -> list[Presence]:
    """Where the models are that run in this process, or what fetching them takes.

    A GGUF file's own are left out: to know whether it is converted, all of it would be read. Raises
    WeightsError for a name that is none.
    """
    return [
        presence(name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir)
        for name in settings.model_names()
        if name in BUNDLES or not name.lower().endswith(".gguf")
    ]


def needed(settings: Settings, found: Sequence[Presence]) -> int:
    """Bytes of disk that a start takes for the models that are not here, with their 8-bit weights."""
    rounded = settings.device in ON_A_PROCESSOR and settings.dtype in IN_8_BITS
    share = 1 + ENGINE_SHARE if rounded else 1
    # What was fetched is gone before the 8-bit weights are written, so the larger of both counts.
    return sum(
        max(one.space, round(share * (one.space - (one.download or 0))))
        for one in found
        if one.folder is None
    )


def require_room(settings: Settings, found: Sequence[Presence]) -> None:
    """Raises NotEnoughSpace where what is to be fetched would not fit."""
    if (space := needed(settings, found)) > 0:
        disk.require(settings.cache_dir, space)


def lines(settings: Settings, origins: Mapping[str, Origin], config: Path | None) -> list[Line]:
    """What is where, each with its name."""
    return [
        ("CoSteer", __version__),
        ("settings", _sources(origins, config)),
        ("profiles", _profiles(settings.data_dir)),
        ("remote", _remote(settings)),
    ]


def model_lines(settings: Settings, found: Sequence[Presence]) -> list[Line]:
    """The models in this process: how large they are and where, or what is fetched and whether that fits."""
    told = [("model", f"{one.name}, {_here(one.folder)}") for one in found if one.folder is not None]
    for one in found:
        if one.folder is None:
            size = "" if one.download is None else f"{disk.gigabytes(one.download)} "
            told.append(("model", f"{one.name}, {size}to be fetched from {one.source}"))
    told.append(("weights", str(settings.cache_dir)))
    if space := needed(settings, found):
        room = disk.gigabytes(disk.free(settings.cache_dir))
        told.append(("disk", f"{disk.gigabytes(space)} are needed for the models, {room} are free"))
    return told


def _here(folder: Path) -> str:
    return f"{disk.gigabytes(disk.size_of(folder))} in {folder}"


def _sources(origins: Mapping[str, Origin], config: Path | None) -> str:
    """Where settings are read, and how many each place has."""
    kinds = [origin.kind for origin in origins.values()]
    names = {
        "config.toml": str(config),
        ".env": ".env here",
        "environment": "the environment",
        "option": "options",
    }
    read = [f"{kinds.count(kind)} of {name}" for kind, name in names.items() if kind in kinds]
    return ", ".join(read) or "all have their defaults"


def _profiles(data_dir: Path) -> str:
    # What is wrong with the database is said when it is opened.
    with suppress(StoreError):
        return f"{counted(len(profile_ids(data_dir)), 'profile')} in {data_dir}"
    return str(data_dir)


def _remote(settings: Settings) -> str:
    if settings.remote_base_url == EMBEDDED:
        return f"embedded: {settings.embedded_model} on this machine"
    return ", ".join(map(without_user, settings.remote_urls))
