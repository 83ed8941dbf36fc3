"""`costeer models`: lists and downloads the weights of the models that run in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli.completion import bundles
from app.cli.environment import read_settings
from app.cli.progress import RichProgress
from app.cli.terminal import mistakes_named, write, write_table
from app.local import weights

commands = typer.Typer(help="Weights of the models that run in this process.", no_args_is_help=True)


@commands.command("list")
@mistakes_named()
def list_bundles() -> None:
    """List the bundles: what is on the disk, where, and how large."""
    rows = []
    for line in weights.listing(read_settings().cache_dir):
        on_disk = f"{line.disk_size / 1e6:,.0f} MB" if line.installed else "no"
        folder = str(line.folder) if line.installed else ""
        rows.append((line.name, on_disk, f"{line.download_size / 1e6:,.0f} MB", line.license, folder))
    write_table(("bundle", "on disk", "download", "licence", "folder"), rows)


@commands.command("pull")
@mistakes_named()
def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Bundles; those the settings use if none.", metavar="BUNDLE", autocompletion=bundles
        ),
    ] = None,
) -> None:
    """Fetch weights, check them against their SHA-256, and convert them, once."""
    settings = read_settings()
    for name, where in fetch(
        names or settings.model_names(), settings.cache_dir, settings.weights_dir
    ).items():
        write(f"{name}: {where}")


def fetch(names: Sequence[str], cache_dir: Path, weights_dir: Path | None) -> dict[str, str]:
    """Downloads the weights that are missing; returns each model's path. Raises WeightsError."""
    with RichProgress() as progress:
        return {
            name: weights.resolve(name, cache_dir=cache_dir, weights_dir=weights_dir, progress=progress)
            for name in names
        }
