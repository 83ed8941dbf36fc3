"""config.toml is read with the line of each setting; what is wrong in it is named, and never quoted."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from app.errors import CoSteerError
from app.settings.config_file import ConfigFile, config_path, read_config_file
from app.settings.settings import SECRETS


def read(tmp_path: Path, text: str | bytes) -> ConfigFile:
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_config_file({"COSTEER_CONFIG": str(path)})


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(CoSteerError) as caught:
        read(tmp_path, text)
    return caught.value.message.removeprefix(f"{tmp_path}/config.toml")


def test_it_lies_where_this_system_keeps_configuration_unless_another_is_named() -> None:
    assert config_path({}) == Path(platformdirs.user_config_dir("costeer")) / "config.toml"
    assert config_path({"COSTEER_CONFIG": " "}) == config_path({})
    assert config_path({"COSTEER_CONFIG": "~/a.toml"}) == Path.home() / "a.toml"
    assert config_path({"COSTEER_CONFIG": "None"}) is None


def test_none_is_read_of_none() -> None:
    assert read_config_file({"COSTEER_CONFIG": "none"}) == ConfigFile(None)


def test_a_file_that_is_named_and_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    (mistake,) = read_config_file({"COSTEER_CONFIG": str(tmp_path / "x.toml")}).mistakes
    assert "there is no such file" in mistake


def test_values_are_texts_as_in_the_environment_with_their_lines(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "\ufeff# a remark\n\nport = 81 # mine\n'any_model'=true\r\nmargin = 0.5\n\n"
        'local_model = """a\nb"""\n'
        'allowed_hosts = ["a",\n  "b"]\nhost = "h"',
    )
    assert found.mistakes == []
    assert found.values == {
        "port": "81",
        "any_model": "true",
        "margin": "0.5",
        "local_model": "a\nb",
        "allowed_hosts": "a,b",
        "host": "h",
    }
    assert found.lines == {
        "port": 3,
        "any_model": 4,
        "margin": 5,
        "local_model": 7,
        "allowed_hosts": 9,
        "host": 11,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n[costeer]\nport = 1", ", line 2: costeer is a table."),
        ("remote = {a = 1}", ", line 1: remote is a table."),
        ("a.b = 1", ", line 1: a is a table."),
        ("port = 1\nhost = ['a']", ", line 2: host must be a text in quotes"),
        ("allowed_hosts = [1]", ", line 1: allowed_hosts must be a list of texts in quotes"),
        ("\ndata_dir = 'costeer'", ", line 2: data_dir must be an absolute path"),
        ("weights_dir = './w'", ", line 1: weights_dir must be an absolute path"),
        ("port = 2020-01-01", ", line 1: port must be a text in quotes"),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (mistake,) = read(tmp_path, text).mistakes
    assert mistake.removeprefix(f"{tmp_path}/config.toml").startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 1\nhost = s3cret", ", line 2: this is no TOML. Write name = value"),
        ("port = 1\nport = 2", ", line 2: this setting stands above already."),
        ("host = 's3cret", ", line 1: this is no TOML."),
        ("\nCOSTEER_PORT\n\n", ", line 2: this is no TOML."),
        ("\nhost = " + "[" * 5000 + "]" * 5000, ", line 2: nested too deeply"),
        ("port = " + "9" * 5000, ", line 1: this is no TOML."),
        ("#" * 2**16 + "\n", " is larger than 64 KiB."),
        (b"host = '\xff'", " cannot be read as UTF-8 text: line 1"),
        ("host = 'a'".encode("utf-16"), " cannot be read as UTF-8 text: it is UTF-16"),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_not_quoted(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    message = refused(tmp_path, text)
    assert said in message
    assert "s3cret" not in message


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
def test_what_never_ends_or_leads_nowhere_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "pipe", tmp_path / "loop", Path("/dev/zero"), tmp_path / ("a" * 300)):
        with pytest.raises(CoSteerError, match="cannot be read"):
            read_config_file({"COSTEER_CONFIG": str(path)})


def test_a_folder_of_that_name_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(CoSteerError, match="cannot be read"):
        read_config_file({"COSTEER_CONFIG": str(tmp_path / "config.toml")})


@pytest.mark.parametrize(
    ("text", "mode", "exposed"),
    [
        ("remote_api_key = 'k'", 0o644, True),
        ("remote_api_key = 'k'", 0o600, False),
        ("remote_proxy = 'http://a:b@c:1'", 0o640, True),
        ("port = 1", 0o644, False),
    ],
)
def test_secrets_that_others_may_read_are_noticed(
    tmp_path: Path, text: str, mode: int, exposed: bool
) -> None:
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.toml").chmod(mode)
    assert read(tmp_path, text).exposed(SECRETS) is exposed
