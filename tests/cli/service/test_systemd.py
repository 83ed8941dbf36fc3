"""The unit: systemd takes it, whatever the path of the program, and starts what is meant."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.serve import MISCONFIGURED
from app.cli.service import systemd

PATHS = [
    "/opt/costeer",
    "/a b/100% x/costeer",
    "/$HOME/${X}/costeer",
    "/a'b\"c\\d $HOME/%n/costeer",
    "/ü/costeer",
]


def unit(path: str, config: str = "") -> dict[str, str]:
    """The keys of the unit, of all its sections."""
    parser = configparser.RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(systemd.service(Path(path), config, Path("/units"), MISCONFIGURED).text)
    return {key: value for section in parser.sections() for key, value in parser.items(section)}


def words(text: str) -> list[str]:
    """The words of a line, as systemd.syntax(7) and systemd.service(5) have it: % and, in arguments, $ are
    doubled, and a backslash stands before quotes and itself."""
    found, word, quoted, characters = [], "", False, iter(text)
    for character in characters:
        if character == '"':
            quoted = not quoted
        elif character == "\\":
            word += next(characters)
        elif character == " " and not quoted:
            found.append(word)
            word = ""
        elif character == "%" or (character == "$" and found):
            assert next(characters) == character
            word += character
        else:
            word += character
    return [*found, word]


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]) | st.just(" "), min_size=1))
def test_any_path_is_started_as_it_is(name: str) -> None:
    path = f"/{name.replace('/', '')}x/costeer"
    started = words(unit(path)["ExecStart"])
    assert started in ([path, "serve"], ["/usr/bin/env", path, "serve"])
    # systemd refuses a program whose name has these.
    assert not set("\"'\\") & set(started[0])


def test_it_is_started_again_but_not_for_wrong_settings_or_arguments() -> None:
    keys = unit("/opt/costeer")
    assert keys["Restart"] == "on-failure"
    assert keys["RestartPreventExitStatus"] == "2 78"
    assert keys["WorkingDirectory"] == "/"
    assert "MemoryDenyWriteExecute" not in keys
    assert "Environment" not in keys


def test_a_config_file_of_ones_own_goes_with_it() -> None:
    assert unit("/opt/costeer", "/a b%/c.toml")["Environment"] == '"COSTEER_CONFIG=/a b%%/c.toml"'


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("path", PATHS)
def test_systemd_analyze_accepts_it(path: str, tmp_path: Path) -> None:
    program = tmp_path / path.removeprefix("/")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    service = systemd.service(program, "/a b%/$c.toml", tmp_path / "units", MISCONFIGURED)
    service.file.parent.mkdir(exist_ok=True)
    service.file.write_text(service.text)
    result = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(service.file)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
