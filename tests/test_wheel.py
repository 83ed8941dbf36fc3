"""The wheel installs one name, holds what the product reads at run time, and asks for what it imports."""

from __future__ import annotations

import os
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from hatchling.build import build_wheel
from packaging.requirements import Requirement

from app.local.packages import PACKAGES

ROOT = Path(__file__).parent.parent


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> zipfile.ZipFile:
    monkeypatch.chdir(ROOT)
    return zipfile.ZipFile(tmp_path / build_wheel(os.fspath(tmp_path)))


@pytest.fixture
def names(wheel: zipfile.ZipFile) -> set[str]:
    return set(wheel.namelist())


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    """What pip reads."""
    (name,) = [one for one in wheel.namelist() if one.endswith(".dist-info/METADATA")]
    return message_from_bytes(wheel.read(name))


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


def test_it_installs_no_package_of_a_model_in_this_process_unless_asked_to(metadata: Message) -> None:
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]

    def installed(extra: str) -> set[str]:
        wanted = [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": extra})]
        return {one.name for one in wanted}

    assert set(metadata.get_all("Provides-Extra", [])) == {"dev", "eval", "local", "sources"}
    assert not installed("") & set(PACKAGES)
    assert installed("local") - installed("") == set(PACKAGES)
    assert all(set(PACKAGES) <= installed(extra) for extra in ("eval", "dev"))
    assert not installed("sources") & set(PACKAGES)


def test_the_command_is_costeer(wheel: zipfile.ZipFile) -> None:
    (name,) = [one for one in wheel.namelist() if one.endswith("entry_points.txt")]
    assert "costeer = app.cli:main" in wheel.read(name).decode()
