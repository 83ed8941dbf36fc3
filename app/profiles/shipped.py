"""Locates folders that are installed with the package: inside `app` in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

APP = Path(__file__).resolve().parents[1]


def shipped(folder: str) -> Path:
    """The path of `migrations` (of the database schema) or `profiles` (the samples)."""
    inside = APP / {"profiles": "samples"}.get(folder, folder)
    return inside if inside.is_dir() else APP.parent / folder


def sample_profiles() -> list[Path]:
    """The files of the sample profiles, sorted by name."""
    return sorted(shipped("profiles").glob("*.toml"))
