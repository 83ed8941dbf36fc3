"""`costeer models`: lists and downloads the weights of the models that run in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.completion import models
from app.cli.environment import read_settings
from app.cli.progress import RichProgress
from app.cli.terminal import mistakes_named, say, write, write_json, write_table
from app.local import packages, weights
from app.local.weights import recommended

commands = typer.Typer(help="Weights of the models that run in this process.", no_args_is_help=True)


@commands.command("list")
@mistakes_named()
def list_bundles() -> None:
    """List the bundles, with what is on the disk, and small models that are recommended, with their remotes.

    Bundles and hub ids are what COSTEER_LOCAL_MODEL takes; `costeer models found` lists what is here besides.
    """
    rows = []
    for line in weights.listing(read_settings().cache_dir):
        on_disk = f"{line.disk_size / 1e6:,.0f} MB" if line.installed else "no"
        folder = str(line.folder) if line.installed else ""
        rows.append((line.name, on_disk, f"{line.download_size / 1e6:,.0f} MB", line.license, folder))
    write_table(("bundle", "on disk", "download", "licence", "folder"), rows)
    write()
    columns = ("small model", "remotes", "tokenizer", "licence", "memory", "what to expect")
    write_table(columns, recommended.rows())


@commands.command("found")
@mistakes_named()
def list_found(
    *, as_json: Annotated[bool, typer.Option("--json", help="As JSON, with the paths.")] = False
) -> None:
    """List the GGUF files that other programs keep on this machine, and which of them can be taken.

    Looked at are the folders of LM Studio, Ollama, llama.cpp and the Hugging Face hub, and
    COSTEER_WEIGHTS_DIR. COSTEER_LOCAL_MODEL takes the names. Only headers are read.
    """
    from app.local.weights.files.found import closed, found  # noqa: PLC0415  # not for the other commands

    files = found(read_settings().weights_dir)
    for folder in closed():
        say(f"{folder} may not be read by this user, and was left out.")
    if as_json:
        write_json([asdict(one) | {"path": str(one.path)} for one in files])
        return
    write_table(
        ("name", "architecture", "weights", "stored as", "size", "can be taken"),
        [
            (
                one.name,
                one.architecture,
                _millions(one.parameters),
                one.quantization,
                f"{one.size / 1e6:,.0f} MB" if one.size else "",
                f"no: {one.obstacle}" if one.obstacle else f"no: {one.warning}" if one.warning else "yes",
            )
            for one in files
        ],
    )


def _millions(parameters: int) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


@commands.command("pull")
@mistakes_named()
def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Bundles, GGUF files or names of `costeer models found`; those the settings use if none.",
            metavar="MODEL",
            autocompletion=models,
        ),
    ] = None,
) -> None:
    """Fetch weights, check them, and convert them, once."""
    settings = read_settings()
    for name, where in fetch(
        names or settings.model_names(), settings.cache_dir, settings.weights_dir
    ).items():
        write(f"{name}: {where}")


def fetch(names: Sequence[str], cache_dir: Path, weights_dir: Path | None) -> dict[str, str]:
    """Downloads the weights that are missing; returns each model's path. Raises WeightsError, and
    NotInstalled where no model can be computed here."""
    if names:
        packages.require()
    with RichProgress() as progress:
        return {
            name: weights.resolve(name, cache_dir=cache_dir, weights_dir=weights_dir, progress=progress)
            for name in names
        }
