"""`costeer service`: what it writes, what it has the manager do, and what it says where there is none."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.cli.service import command, manager
from app.cli.service.manager import Ran
from cli.running import done, refused, run, written


class Manager:
    """Notes the commands; those with a word of `fails` fail."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fails: set[str] = set()

    def __call__(self, words: Sequence[str]) -> Ran:
        self.ran.append(shlex.join(words))
        failed = self.fails & set(words)
        return Ran(not failed, "Failed to connect to bus." if failed else "")


@pytest.fixture(autouse=True)
def system(folders: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Manager:
    """Linux, with a manager that only notes what it is told, and no server."""
    fake = Manager()
    program = tmp_path / "my programs" / "costeer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setattr(command, "run", fake)
    monkeypatch.setattr(command, "running", lambda _: None)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("COSTEER_CONFIG")
    monkeypatch.delenv("COSTEER_DATA_DIR")
    monkeypatch.delenv("COSTEER_CACHE_DIR")
    return fake


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "systemd" / "user" / "costeer.service"


INSTALL = [
    "systemctl --user daemon-reload",
    "systemctl --user enable costeer.service",
    "systemctl --user restart costeer.service",
]


def test_it_is_written_and_started(system: Manager, unit: Path, tmp_path: Path) -> None:
    result = run("service", "install")
    assert (result.exit_code, system.ran) == (0, INSTALL)
    assert f'ExecStart="{tmp_path}/my programs/costeer" serve\n' in unit.read_text()
    assert "journalctl --user -u costeer" in result.stderr
    assert "warning" not in result.stderr
    done("service", "install")
    assert system.ran == INSTALL * 2


def test_a_dry_run_shows_the_file_and_the_commands_and_changes_nothing(
    system: Manager, unit: Path, tmp_path: Path
) -> None:
    shown = done("service", "install", "--dry-run")
    assert not unit.exists()
    assert shown.startswith(f"# {unit}\n")
    assert shown.endswith("\n".join(["", *INSTALL, ""]))
    done("service", "install")
    assert unit.read_text() in shown
    system.ran.clear()
    assert f"rm {unit}" in done("service", "remove", "--dry-run")
    assert unit.exists()
    assert system.ran == []


def test_settings_of_this_shell_are_said_not_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_PORT", "81")
    written(".env", "COSTEER_STRENGTH=1\n")
    said = run("service", "install", "--dry-run").stderr
    assert "will not have these settings of this shell or of .env here: port, strength." in said


def test_a_config_file_that_the_environment_names_goes_with_it(
    unit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("c.toml", "")
    monkeypatch.setenv("COSTEER_CONFIG", "c.toml")
    done("service", "install")
    assert f'Environment="COSTEER_CONFIG={Path("c.toml").absolute()}"' in unit.read_text()


def test_a_file_that_somebody_changed_is_not_overwritten_unasked(unit: Path) -> None:
    done("service", "install")
    unit.write_text("mine")
    assert "--force overwrites it" in refused("service", "install")
    assert unit.read_text() == "mine"
    done("service", "install", "--force")
    assert "ExecStart" in unit.read_text()


def test_what_is_no_text_of_ours_is_not_overwritten_unasked(unit: Path) -> None:
    unit.parent.mkdir(parents=True)
    unit.write_bytes(b"\xff\xfe")
    assert "is there, and differs" in refused("service", "install")
    done("service", "install", "--force")
    unit.unlink()
    unit.symlink_to("/dev/null")  # as `systemctl mask` does
    assert "unmask" in refused("service", "install", "--force")
    assert unit.is_symlink()
    unit.unlink()
    unit.mkdir()
    assert "unmask" in refused("service", "install", "--force")
    assert "cannot be removed" in refused("service", "remove")


def test_with_wrong_settings_nothing_is_installed(system: Manager, unit: Path) -> None:
    config = unit.parents[2] / "costeer" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("port = 'x'\n")
    assert "config.toml, line 1: port" in refused("service", "install")
    assert not unit.exists()
    assert system.ran == []


def test_without_a_manager_it_says_what_is_left_to_run(system: Manager, unit: Path) -> None:
    system.fails = {"enable"}
    result = run("service", "install")
    assert result.exit_code == 1
    assert "systemd could not be told (Failed to connect to bus)" in result.stderr
    assert result.stderr.endswith("\n".join(["", *(f"  {one}" for one in INSTALL[1:]), ""]))
    assert unit.exists()


def test_it_is_stopped_and_removed(system: Manager, unit: Path) -> None:
    assert "not installed" in refused("service", "remove")
    done("service", "install")
    system.ran.clear()
    done("service", "remove")
    assert not unit.exists()
    assert system.ran == [
        "systemctl --user disable --now costeer.service",
        "systemctl --user daemon-reload",
    ]


def test_status_says_what_is_so(system: Manager, unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("service", "status")
    assert result.exit_code == 1
    assert result.stdout.split() == ["installed", "no", "running", "no", "answers", "no"]
    done("service", "install")
    system.fails = {"is-active"}
    assert "Why not: journalctl" in run("service", "status").stderr
    system.fails = set()
    monkeypatch.setattr(command, "running", lambda _: "http://127.0.0.1:8000")
    result = run("service", "status", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "file": str(unit),
        "installed": True,
        "running": True,
        "address": "http://127.0.0.1:8000",
    }


def test_on_macos_it_is_an_agent(system: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    done("service", "install")
    assert (tmp_path / "home/Library/LaunchAgents/costeer.plist").exists()
    assert [one.split()[1] for one in system.ran] == ["bootout", "bootstrap"]


def test_on_windows_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert "There is no service for win32. On Windows the Task Scheduler" in refused("service", "status")


def test_a_manager_that_is_not_there_has_failed() -> None:
    assert manager.run(["/no/such/program"]) == Ran(False, "No such file or directory")
    assert manager.run(["sh", "-c", "echo one >&2; echo two >&2; exit 3"]) == Ran(False, "two")
    assert manager.run(["true"]) == Ran(True)
