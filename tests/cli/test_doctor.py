"""`costeer doctor` as a person runs it, and as a program does: what it says, and its exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from doctor.fake_vllm import FakeVLLM
from doctor.folders import model_folder
from fakes import FakeTokenizer
from typer.testing import Result

from app.doctor.remote import NAMES
from app.profiles.store.engine import DATABASE
from app.remote.vllm import VLLMRemote
from cli.running import ROOT, open_store, run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeVLLM:
    """A setup that is well: a vLLM, a local model that shares its tokenizer, a database, a free port."""
    served = FakeVLLM(told_by="usage")

    def remote(_: str, *, spare: bool, **options: Any) -> VLLMRemote:
        return served.remote(**options)

    open_store().close()
    monkeypatch.setattr("app.remote.vllm.VLLMRemote", remote)
    monkeypatch.setattr("app.tokenization.tokenizer.Tokenizer", lambda _: FakeTokenizer())
    monkeypatch.setenv("COSTEER_REMOTE_BASE_URL", "http://vllm.test:8001/v1")
    monkeypatch.setenv("COSTEER_LOCAL_MODEL", str(model_folder(tmp_path / "small-model")))
    monkeypatch.setenv("COSTEER_PORT", "0")
    return served


def examined() -> tuple[int, dict[str, Any]]:
    """The exit status, and the findings by name."""
    result = run("doctor", "--json")
    assert result.stderr == "", result.stderr
    document = json.loads(result.stdout)
    assert document["ok"] == (result.exit_code == 0)
    return result.exit_code, {finding["name"]: finding for finding in document["findings"]}


def failed(found: dict[str, Any]) -> list[str]:
    return [name for name, finding in found.items() if finding["state"] == "failed"]


@pytest.mark.usefixtures("fake")
def test_a_setup_that_is_well_is_all_ok_and_ends_with_0() -> None:
    status, found = examined()
    assert {finding["state"] for finding in found.values()} == {"ok"}, found
    assert status == 0
    assert next(iter(found)) == "settings"
    assert {"python", "torch", "device", "local weights", "disk", "database", "port", "remote"} <= set(found)


@pytest.mark.usefixtures("fake")
def test_the_list_reads_well_in_80_columns_and_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("COSTEER_PORT", "8000")
    monkeypatch.setenv("COSTEER_HOST", "192.0.2.1")
    monkeypatch.setattr("app.cli.terminal.on_terminal", lambda: True)
    result = run("doctor")
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in result.stdout
    at, _ = [number for number, line in enumerate(lines) if line.startswith("failed ")]
    assert any(line.strip().startswith("-> ") for line in lines[at : at + 4])
    assert lines[-1] == "16 ok, 2 failed"
    assert result.exit_code == 1


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("columns", ["20", "80"])
def test_a_finding_in_a_file_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for terminal in (False, columns == "20"):
        monkeypatch.setattr("app.cli.terminal.on_terminal", lambda shown=terminal: shown)
        lines = run("doctor").stdout.splitlines()
        folder = os.environ["COSTEER_DATA_DIR"]
        (line,) = [line for line in lines if line.startswith("ok       database ")]
        assert f"{folder}/{DATABASE}" in line


def _down(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.down = True


def _wrong_key(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.key = "sk-right"
    monkeypatch.setenv("COSTEER_REMOTE_API_KEY", "sk-wrong")


def _unknown_model(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_REMOTE_MODEL", "other-model")


def _low_cap(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.cap = 19


def _other_tokenizer(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.shift = 1


def _no_weights(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    (Path(os.environ["COSTEER_LOCAL_MODEL"]) / "model.safetensors").unlink()


def _no_folder(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_DATA_DIR", str(Path(os.environ["COSTEER_DATA_DIR"]) / DATABASE))


def _damaged(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(os.environ["COSTEER_DATA_DIR"]) / DATABASE
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * (path.stat().st_size - 4096))


@pytest.mark.parametrize(
    ("breaks", "name", "mend"),
    [
        (_down, "remote", "COSTEER_REMOTE_BASE_URL"),
        (_wrong_key, "api key", "COSTEER_REMOTE_API_KEY"),
        (_unknown_model, "model", "COSTEER_REMOTE_MODEL=fake-model"),
        (_low_cap, "logprobs", "--max-logprobs 20"),
        (_other_tokenizer, "tokenizer", "COSTEER_LOCAL_MODEL"),
        (_no_weights, "local weights", ""),
        (_no_folder, "database", "COSTEER_DATA_DIR"),
        (_damaged, "database", "backup"),
    ],
)
def test_what_is_broken_fails_alone_says_what_mends_it_and_ends_with_1(
    fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch, breaks: Any, name: str, mend: str
) -> None:
    breaks(fake, monkeypatch)
    status, found = examined()
    assert (status, failed(found)) == (1, [name])
    assert mend in found[name]["mend"]


@pytest.mark.usefixtures("fake")
def test_a_bundle_that_is_not_here_is_a_warning_since_the_start_fetches_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COSTEER_LOCAL_MODEL", "smollm2-135m-instruct")
    status, found = examined()
    assert status == 0
    assert found["local weights"]["state"] == "warning"
    assert found["local weights"]["mend"] == "costeer models pull smollm2-135m-instruct"
    assert found["tokenizer"]["state"] == found["chat template"]["state"] == "skipped"


@pytest.mark.usefixtures("fake")
def test_an_unknown_variable_is_a_warning_and_a_wrong_one_is_all_there_is_to_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COSTEER_STRENGHT", "1")
    status, found = examined()
    assert (status, found["settings"]["state"]) == (0, "warning")
    assert "Did you mean COSTEER_STRENGTH?" in found["settings"]["seen"]
    Path(".env").write_text("COSTEER_PROT=1\n")
    status, found = examined()
    assert (status, failed(found)) == (1, ["settings"])
    assert "COSTEER_PROT is not a setting. Did you mean COSTEER_PORT?" in found["settings"]["seen"]
    assert list(found) == ["settings", "python"]
    Path(".env").write_bytes("COSTEER_REMOTE_MODEL=Größe".encode("latin-1"))
    assert ".env cannot be read" in examined()[1]["settings"]["seen"]


def test_with_an_embedded_remote_what_asks_a_vllm_is_skipped() -> None:
    status, found = examined()
    assert status == 0
    assert {found[name]["seen"] for name in ("remote", "logprobs", "tokenizer")} == {"The remote is embedded"}
    assert found["database"]["state"] == "ok"
    assert not Path(os.environ["COSTEER_DATA_DIR"]).exists()
    assert not Path(os.environ["COSTEER_CACHE_DIR"]).exists()


def test_a_check_that_breaks_is_a_finding_and_no_traceback(
    fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("sk-secret")

    monkeypatch.setattr("app.doctor.database.inspect", broken)
    result: Result = run("doctor")
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert "sk-secret" not in result.stdout + result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_it_at_once_and_without_a_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "doctor"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COSTEER_PORT": "0", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killer = threading.Timer(60, process.kill)  # rather fail than hang
    killer.start()
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ok")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    killer.cancel()
    assert (process.returncode, said) == (130, "")


@pytest.mark.parametrize("value", ["socks://lotte:pa55word@proxy:1080", "socks5://lotte:pa55word@proxy:1080"])
def test_a_proxy_of_no_use_is_a_finding_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("COSTEER_REMOTE_BASE_URL", "https://lotte:pa55word@vllm.test/v1")
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", value)
    status, found = examined()
    assert status == 1
    assert found["remote"]["state"] == "failed"
    assert found["remote"]["seen"].startswith("ALL_PROXY ")
    assert found["api key"]["state"] == found["tokenizer"]["state"] == "skipped"
    assert "pa55word" not in json.dumps(found)


def test_several_remotes_are_examined_each_by_itself(fake: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_REMOTE_BASE_URL", "http://a.test/v1,http://lotte:pa55word@b.test/v1")
    status, found = examined()
    assert status == 0
    assert {finding["state"] for finding in found.values()} == {"ok"}, found
    names = [f"{name} {number}" for number in (1, 2) for name in NAMES]
    assert [name for name in found if name in {*names, "remotes"}] == [*names, "remotes"]
    assert "All 2 serve fake-model" in found["remotes"]["seen"]
    assert "http://b.test/v1 is a vLLM" in found["remote 2"]["seen"]
    assert "pa55word" not in str(found)
    fake.down = True
    status, found = examined()
    assert (status, failed(found)) == (1, ["remote 1", "remote 2", "remotes"])
    assert found["tokenizer"]["state"] == "skipped"
