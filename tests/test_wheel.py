"""The wheel installs one name, and holds what the product reads at run time."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel

ROOT = Path(__file__).parent.parent


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.chdir(ROOT)
    wheel = build_wheel(os.fspath(tmp_path))
    return set(zipfile.ZipFile(tmp_path / wheel).namelist())


def test_it_installs_app_alone(names: set[str]) -> None:
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"app", "costeer"}


def test_migrations_and_samples_lie_inside(names: set[str]) -> None:
    versions = {
        f"app/migrations/versions/{path.name}" for path in (ROOT / "migrations/versions").glob("*.py")
    }
    samples = {f"app/samples/{path.name}" for path in (ROOT / "profiles").glob("*.toml")}
    assert versions
    assert samples
    assert versions | samples | {"app/migrations/env.py"} <= names


def test_the_page_lies_inside(names: set[str]) -> None:
    page = {
        f"app/{path.relative_to(ROOT / 'app')}" for path in (ROOT / "app/web").rglob("*") if path.is_file()
    }
    assert "app/web/index.html" in page
    assert page <= names
