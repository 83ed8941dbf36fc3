"""Which source of a setting goes before which, and how that is told."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import pytest

from app.cli.environment import checked_settings, settings_origins

# From the last that counts to the first; each sets the port to its place in this list.
SOURCES = ["default", "config.toml", ".env", "environment", "option"]
SETS = [found for size in range(5) for found in combinations(SOURCES[1:], size)]

pytestmark = pytest.mark.usefixtures("clean_environment")


def give(source: str, value: str, monkeypatch: pytest.MonkeyPatch, name: str = "port") -> dict[str, object]:
    """Sets a setting in that source; the options of the command line are what comes back."""
    if source == "config.toml":
        Path("config.toml").write_text(f"# a remark\n{name} = '{value}'\n")
        monkeypatch.setenv("COSTEER_CONFIG", "config.toml")
    elif source == ".env":
        Path(".env").write_text(f"\n\nCOSTEER_{name.upper()}='{value}'\n")
    elif source == "environment":
        monkeypatch.setenv(f"COSTEER_{name.upper()}", value)
    return {name: int(value)} if source == "option" else {}


@pytest.mark.parametrize("given", SETS)
def test_the_last_source_that_has_a_value_counts(
    given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, object] = {}
    for source in given:
        options |= give(source, str(SOURCES.index(source)), monkeypatch)
    settings, mistakes = checked_settings(**options)
    assert settings is not None, mistakes
    last = given[-1] if given else "default"
    assert settings.port == (SOURCES.index(last) if given else 8000)
    origin = settings_origins(**options)["port"]
    assert origin.kind == last
    lines = {"config.toml": "config.toml, line 2", ".env": ".env, line 3"}
    assert str(origin) == lines.get(last, last)


@pytest.mark.parametrize(("blank", "source"), [*product(["", "  "], SOURCES[1:4])])
def test_a_blank_value_leaves_the_setting_to_the_source_before(
    blank: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(source, blank, monkeypatch)
    earlier = SOURCES[1 : SOURCES.index(source)]
    for one in earlier:
        give(one, str(SOURCES.index(one)), monkeypatch)
    settings, _ = checked_settings()
    assert settings is not None
    assert settings.port == (SOURCES.index(earlier[-1]) if earlier else 8000)
    assert settings_origins()["port"].kind == (earlier[-1] if earlier else "default")


def test_what_is_wrong_is_blamed_on_the_source_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    for source in SOURCES[1:4]:
        give(source, "x", monkeypatch)
        said += checked_settings()[1]
    must = "must be a whole number from 0 to 65535"
    assert said == [
        f"{Path('config.toml').absolute()}, line 2: port: {must}",
        f".env, line 3: COSTEER_PORT: {must}",
        f"COSTEER_PORT: {must}",
    ]


def test_an_unknown_name_is_told_with_its_line_and_the_likely_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("c.toml").write_text("strenght = 1\nCOSTEER_PORT = 1\nremote-model = 'a'\nCOLOUR = 1\n")
    monkeypatch.setenv("COSTEER_CONFIG", "c.toml")
    place = f"{Path('c.toml').absolute()}, line"
    assert checked_settings()[1] == [
        f"{place} 1: strenght is not a setting. Did you mean strength?",
        f"{place} 2: COSTEER_PORT is not a setting. Did you mean port?",
        f"{place} 3: remote-model is not a setting. Did you mean remote_model?",
        f"{place} 4: COLOUR is not a setting.",
    ]


def test_where_settings_are_read_cannot_be_said_in_a_file() -> None:
    Path(".env").write_text("COSTEER_CONFIG=x\n")
    (said,) = checked_settings()[1]
    assert said.startswith(".env, line 1: COSTEER_CONFIG counts in the environment only")
