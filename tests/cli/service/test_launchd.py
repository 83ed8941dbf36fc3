"""The agent: a plist that starts what is meant."""

from __future__ import annotations

import plistlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.cli.service import launchd


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_any_path_is_started_as_it_is(name: str) -> None:
    service = launchd.service(Path(f"/{name}/costeer"), f"/c/{name}.toml", Path("/home/anna"), 501)
    read = plistlib.loads(service.text.encode())
    assert read["ProgramArguments"] == [str(Path(f"/{name}/costeer")), "serve"]
    assert read["EnvironmentVariables"] == {"COSTEER_CONFIG": f"/c/{name}.toml"}


def test_it_runs_from_the_log_in_on_and_again_after_a_failure() -> None:
    service = launchd.service(Path("/opt/costeer"), "", Path("/home/anna"), 501)
    read = plistlib.loads(service.text.encode())
    assert (read["RunAtLoad"], read["KeepAlive"]) == (True, {"SuccessfulExit": False})
    assert read["WorkingDirectory"] == "/"
    assert "EnvironmentVariables" not in read
    assert service.file == Path("/home/anna/Library/LaunchAgents/costeer.plist")
    assert service.install == (("launchctl", "bootstrap", "gui/501", str(service.file)),)
