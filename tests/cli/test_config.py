"""`costeer config`: what holds and where it comes from, and changes of config.toml by the same rules."""

from __future__ import annotations

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import app.cli.config
from app.settings.settings import Settings
from cli.running import done, done_json, misused, on_terminal, process, refused, run, written

SECRET = "sk-s3cret"


@pytest.fixture(autouse=True)
def config(folders: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where config.toml is, which is not there yet."""
    monkeypatch.setattr(app.cli.config, "running", lambda _: None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd().parent / "config"))
    monkeypatch.setenv("HOME", str(Path.cwd().parent))
    monkeypatch.delenv("COSTEER_CONFIG")
    return Path(done("config", "path").strip())


def test_each_setting_is_shown_with_where_it_comes_from(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("config", "set", "strength", "0.5")
    written(".env", "\nCOSTEER_PORT=81\n")
    monkeypatch.setenv("COSTEER_HOST", "localhost")
    rows = dict(line.split("\t", 1) for line in done("config", "show").splitlines())
    assert sorted(rows) == sorted(["setting", *Settings.model_fields])
    assert rows["strength"] == "0.5\tconfig.toml, line 1"
    assert rows["port"] == "81\t.env, line 2"
    assert rows["host"] == "localhost\tenvironment"
    assert rows["dtype"] == "auto\tdefault"
    shown = done_json("config", "show", "--changed")
    assert shown["config"] == str(config)
    assert set(shown["settings"]) == {"strength", "port", "host", "data_dir", "cache_dir"}
    assert shown["settings"]["port"] == {"value": 81, "from": ".env", "line": 2}


def test_no_secret_is_shown(config: Path) -> None:
    done("config", "set", "remote_proxy", f"http://lotte:{SECRET}@proxy:1")
    done("config", "set", "remote_base_url", f"http://lotte:{SECRET}@host/v1")
    shown = [done("config", "show"), done("config", "show", "--json")]
    assert SECRET not in "".join(shown)
    assert "http://host/v1" in shown[0]
    assert "--reveal" in refused("config", "get", "remote_proxy")
    assert SECRET in done("config", "get", "remote_proxy", "--reveal")
    assert done("config", "get", "COSTEER_PORT") == "8000\n"
    done("config", "set", "remote_base_url", "http://host/v1")
    assert done("config", "get", "remote_base_url") == "http://host/v1\n"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("port", "81", "port = 81"),
        ("COSTEER_PORT", " 81 ", "port = 81"),
        ("any_model", "TRUE", "any_model = true"),
        ("strength", "auto", 'strength = "auto"'),
        ("strength", "1", "strength = 1.0"),
        ("remote_model", "true", 'remote_model = "true"'),
        ("data_dir", "~/x", 'data_dir = "~/x"'),
        ("draft_length", "6", "draft_length = 6"),
        ("remote_api_key", SECRET, f'remote_api_key = "{SECRET}"'),
    ],
)
def test_a_setting_is_written_in_its_own_type(config: Path, name: str, value: str, line: str) -> None:
    done("config", "set", name, value)
    assert config.read_text() == f"{line}\n"
    if os.name == "posix":
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
    done("config", "show")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_default_can_be_written_and_read_again(config: Path, name: str) -> None:
    value = done("config", "get", name).strip()
    if value:
        done("config", "set", name, value)
        assert done_json("config", "show")["settings"][name]["from"] in {"config.toml", "environment"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("port", "eighty"), "port: must be a whole number from 0 to 65535"),
        (("port", "true"), "port: must be a whole number"),
        (("strength", "5"), 'strength: must be a number from 0 to 4, or "auto"'),
        (("allowed_hosts", "http://x"), "allowed_hosts: must be host names"),
        (("prot", "1"), "prot is not a setting. Did you mean port?"),
        (("port", ""), "port: an empty value is as good as none. Add --unset"),
        (("port", "--unset"), "does not have port"),
        (("remote_api_key", f"{SECRET} ü"), "remote_api_key: must be plain ASCII"),
        (("remote_api_key",), "Nobody can be asked for remote_api_key here"),
    ],
)
def test_what_a_setting_does_not_take_is_not_written(
    config: Path, arguments: tuple[str, ...], said: str
) -> None:
    message = refused("config", "set", *arguments)
    assert said in message
    assert SECRET not in message
    assert not config.exists()


def test_what_does_not_go_with_the_rest_of_the_file_is_not_written(config: Path) -> None:
    done("config", "set", "remote_api_key", "k")
    before = config.read_text()
    assert "travel in the same header" in refused("config", "set", "remote_base_url", "http://a:b@c/v1")
    assert config.read_text() == before


def test_one_line_can_be_mended_while_another_is_wrong(config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("# mine\nport = 'x' # a\nmax_running = 0\nallowed_hosts = ['a']\n")
    run("config", "set", "port", "81")
    assert config.read_text() == "# mine\nport = \"81\" # a\nmax_running = 0\nallowed_hosts = ['a']\n"
    run("config", "set", "max_running", "2")
    assert done("config", "get", "port") == "81\n"


def test_a_secret_can_come_from_the_standard_input(config: Path) -> None:
    done("config", "set", "remote_api_key", "-", stdin=f"{SECRET}\n")
    assert done("config", "get", "remote_api_key", "--reveal") == f"{SECRET}\n"


def test_an_input_without_an_end_is_not_read_to_it(config: Path) -> None:
    assert "longer than" in refused("config", "set", "remote_api_key", "-", stdin=SECRET * 10_000)
    assert not config.exists()


def test_a_setting_is_taken_out_and_the_rest_stays(config: Path) -> None:
    done("config", "set", "port", "81")
    done("config", "set", "host", "localhost")
    assert done("config", "set", "port", "--unset") == f"{config}: port taken out\n"
    assert config.read_text() == 'host = "localhost"\n'


def test_a_folder_is_the_same_wherever_costeer_is_started(config: Path) -> None:
    done("config", "set", "weights_dir", "my weights")
    assert done("config", "get", "weights_dir") == f"{Path.cwd() / 'my weights'}\n"


def test_no_change_of_another_command_is_lost(config: Path) -> None:
    names = ["max_running", "max_waiting", "max_passed_on", "history_top_k", "kv_cache_mib"]
    commands = [[f"config set {name} {number}" for number in range(8, 0, -1)] for name in names]
    with ThreadPoolExecutor() as pool:
        assert [one.returncode for one in pool.map(lambda lines: process(*lines), commands)] == [0] * 5
    assert sorted(config.read_text().splitlines()) == sorted(f"{name} = 1" for name in names)


def test_what_is_no_file_is_not_overwritten(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_CONFIG", os.devnull)
    assert "it is no file" in refused("config", "set", "port", "1")


def test_a_link_stays_a_link(config: Path) -> None:
    config.parent.mkdir(parents=True)
    real = Path("dotfiles.toml").absolute()
    real.write_text("port = 1\n")
    config.symlink_to(real)
    done("config", "set", "port", "2")
    assert config.is_symlink()
    assert real.read_text() == "port = 2\n"


def test_what_goes_before_the_file_is_said(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(".env", "COSTEER_PORT=82")
    assert ".env, line 1 says otherwise of port" in run("config", "set", "port", "81").stderr
    monkeypatch.setenv("COSTEER_PORT", "83")
    assert "environment says otherwise of port" in run("config", "set", "port", "81").stderr


def test_a_server_that_runs_is_to_be_restarted(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Restart" not in run("config", "set", "strength", "1").stderr
    monkeypatch.setattr(app.cli.config, "running", lambda _: "http://127.0.0.1:8000")
    said = run("config", "set", "strength", "1").stderr
    assert said.startswith("A server runs at http://127.0.0.1:8000. Restart it")


def test_without_a_file_there_is_none_to_change(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_CONFIG", "none")
    assert "COSTEER_CONFIG=none does without" in refused("config", "set", "port", "1")
    assert done_json("config", "show")["config"] is None


def test_the_file_that_the_environment_names_can_be_made(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSTEER_CONFIG", "own/c.toml")
    assert "there is no such file" in refused("config", "show")
    done("config", "set", "port", "81")
    assert Path("own/c.toml").read_text() == "port = 81\n"


def test_a_secret_that_others_may_read_is_a_warning(config: Path) -> None:
    done("config", "set", "remote_api_key", "k")
    config.chmod(0o644)
    assert f"warning: {config} holds a secret" in run("config", "show").stderr


def test_a_value_and_unset_exclude_each_other(config: Path) -> None:
    assert "exclude each other" in misused("config", "set", "port", "1", "--unset")
    assert "give a VALUE" in misused("config", "set", "port")


def test_it_fits_a_narrow_terminal() -> None:
    shown = on_terminal(60, "config show")
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.splitlines()) <= 60
