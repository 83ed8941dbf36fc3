"""Folders that come with the product: inside `app` in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

APP = Path(__file__).resolve().parents[1]


def shipped(folder: str) -> Path:
    """`migrations`, the versions of the database, or `profiles`, the samples."""
    inside = APP / {"profiles": "samples"}.get(folder, folder)
    return inside if inside.is_dir() else APP.parent / folder


def sample_profiles() -> list[Path]:
    """The sample profiles, by name."""
    return sorted(shipped("profiles").glob("*.toml"))
