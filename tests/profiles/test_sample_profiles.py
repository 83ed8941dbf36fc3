"""The profiles that `make run` imports are valid, and have what a small model needs to imitate someone."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.profiles.profile_file import read_profile_file

FILES = sorted((Path(__file__).parents[2] / "profiles").glob("*.toml"))


def test_there_are_three() -> None:
    assert [path.stem for path in FILES] == ["ingrid", "isabel", "walter"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sample_validates(path: Path) -> None:
    document = read_profile_file(path)
    profile = document.profile
    assert profile.id == path.stem
    assert not profile.is_default
    assert {"occupation", "location", "writing_style", "interests"} <= dict(profile.fields).keys()
    assert 3 <= len(document.history) <= 5
    assert all(
        item.request and item.title and 80 <= len(item.text.split()) <= 200 for item in document.history
    )
