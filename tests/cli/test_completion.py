"""What a shell completes: ids of profiles and names of bundles and settings, without making anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.running import ANNA, BERT, ROOT, done, written

COMPLETE = """
import sys
sys.argv = ["costeer"]
from app.cli import main
try:
    main()
finally:
    heavy = [name for name in ("torch", "transformers", "onnxruntime") if name in sys.modules]
    print(heavy, file=sys.stderr)
"""


def completed(*words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_COSTEER_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["costeer", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = subprocess.run(
        [sys.executable, "-c", COMPLETE], env=variables, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "[]\n")
    return result.stdout.split()


def test_ids_of_profiles_are_completed() -> None:
    done("profiles", "import", written("anna.toml", ANNA), written("bert.toml", BERT))
    assert completed("profiles", "show", "") == ["anna", "bert"]
    assert completed("history", "add", "be") == ["bert"]
    assert completed("keys", "create", "--profile", "a") == ["anna"]


def test_names_of_bundles_and_settings_are_completed() -> None:
    assert "smollm2-135m-instruct" in completed("models", "pull", "smol")
    assert completed("config", "get", "strength") == ["strength"]


@pytest.mark.parametrize("spoil", ["nothing", "settings", "database"])
def test_where_there_is_nothing_to_read_nothing_is_offered_or_made(
    spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path("../data")
    if spoil == "settings":
        monkeypatch.setenv("COSTEER_PORT", "x")
    elif spoil == "database":
        written("../data/costeer.db", "no database")
    before = sorted(data.rglob("*"))
    assert completed("profiles", "show", "") == []
    assert sorted(data.rglob("*")) == before
    assert data.exists() == (spoil == "database")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path.cwd().parent / "home"
    home.mkdir()
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home), "SHELL": f"/bin/{shell}"}
    script = "import sys; sys.argv[0] = 'costeer'; from app.cli import main; main()"
    command = [sys.executable, "-c", script, "--install-completion", shell]
    variables["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert any("_COSTEER_COMPLETE" in one.read_text() for one in home.rglob("*") if one.is_file())
