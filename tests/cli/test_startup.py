"""What `serve` says first: what is where, how much it fetches, and that it would not fit."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.cli import startup
from app.errors import WeightsError
from app.local.weights import BUNDLES, Presence
from app.settings.layers import Origin
from app.settings.settings import Settings
from cli.running import ANNA, BERT, done, run, written

MODEL = "smollm2-135m-instruct"
GB = 10**9


def told(settings: Settings) -> dict[str, str]:
    return dict(startup.lines(settings, {"port": Origin("default")}, None))


def test_places_are_named_and_profiles_counted() -> None:
    assert told(Settings())["profiles"] == f"0 profiles in {Path('../data').resolve()}"
    assert not Path("../data").exists()
    done("profiles", "import", written("anna.toml", ANNA), written("bert.toml", BERT))
    assert told(Settings())["profiles"].startswith("2 profiles in ")


def test_a_database_that_cannot_be_read_is_left_to_its_opening() -> None:
    written("../data/costeer.db", "no database")
    assert told(Settings())["profiles"] == str(Path("../data").resolve())


def test_the_places_of_settings_are_named_with_how_many_each_has() -> None:
    origins = {
        "port": Origin("config.toml", 1),
        "host": Origin("config.toml", 2),
        "strength": Origin(".env", 1),
        "device": Origin("option"),
    }
    lines = dict(startup.lines(Settings(), origins, Path("/c/config.toml")))
    assert lines["settings"] == "2 of /c/config.toml, 1 of .env here, 1 of options"
    assert told(Settings())["settings"] == "all have their defaults"


def test_the_remote_is_named_without_its_password() -> None:
    assert told(Settings(remote_base_url="http://lotte:s3cret@host/v1"))["remote"] == "http://host/v1"
    assert told(Settings(embedded_model=MODEL))["remote"] == f"embedded: {MODEL} on this machine"


def test_a_model_that_is_here_is_told_with_its_size_and_place() -> None:
    folder = Path("model").absolute()
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"x" * 3_000_000)
    lines = startup.model_lines(Settings(), [Presence("mine", folder)])
    assert lines[0] == ("model", f"mine, 3.0 MB in {folder}")
    assert "disk" not in dict(lines)


def test_a_download_is_told_with_what_it_takes_and_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=7 * GB))
    settings = Settings(local_model=MODEL, embedded_model=MODEL)
    lines = startup.model_lines(settings, startup.models(settings))
    assert lines[0][1].startswith(f"{MODEL}, 98.4 MB to be fetched from ")
    assert lines[-1] == ("disk", "0.49 GB are needed for the models, 7.00 GB are free")


@pytest.mark.parametrize(
    ("device", "dtype", "share"),
    [("auto", "auto", 1.8), ("cpu", "int8", 1.8), ("cuda", "auto", 1.0), ("cpu", "float32", 1.0)],
)
def test_what_is_needed_counts_the_8_bit_weights_where_there_will_be_some(
    device: str, dtype: str, share: float
) -> None:
    bundle = BUNDLES[MODEL]
    settings = Settings(
        local_model=MODEL,
        embedded_model=MODEL,
        device=device,
        dtype=dtype,
    )
    needed = startup.needed(settings, startup.models(settings))
    assert needed == max(bundle.size + bundle.converted_size, round(share * bundle.converted_size))


def test_what_does_not_fit_is_refused_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=GB))
    monkeypatch.setattr("app.cli.serve.fetch", lambda *_: pytest.fail("it fetched"))
    result = run("serve", "--port", "0")
    assert result.exit_code == 1
    assert "2.29 GB are needed for the models, 1.00 GB are free" in result.stdout
    assert "not enough disk space" in result.stderr
    assert "COSTEER_CACHE_DIR" in result.stderr


def test_a_model_that_there_is_not_is_named() -> None:
    with pytest.raises(WeightsError, match="neither a bundle"):
        startup.models(Settings(local_model="smollm3"))


def test_a_file_of_ones_own_is_not_read_twice() -> None:
    written("own.gguf", "x")
    assert startup.models(Settings(local_model="own.gguf", remote_base_url="http://h/v1")) == []
