"""Without the packages of the extra `local` it serves steered replies between two servers, and each command
that takes a model in its own process says what to install."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.running import ROOT, serving, started
from cli.test_serve import pasted
from fakes import LOUD_DOCUMENT
from local.weights.gguf_files import write_model
from real_port import behind_a_port
from test_architecture import MODULES, imports
from tokenization.test_tokenizer import byte_level
from toy_vllm import ToyVLLM, served

from app.cli.serve import MISCONFIGURED
from app.local.packages import PACKAGES, TORCH
from app.profiles.store import Store

FILE = str(ROOT / "tests" / "without_local.py")
INSTALL = f'{TORCH} && pip install "costeer[local]"'
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What a base dependency brings and is imported by its own name; what uvicorn imports, or is read as files.
BROUGHT = {
    "annotated-types": "pydantic",
    "pydantic-core": "pydantic",
    "sqlalchemy": "sqlmodel",
    "starlette": "fastapi",
}
UNNAMED = {"fastapi-swagger", "uvloop"}


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirements name."""
    found = [re.match(r"[\w.-]+", one) for one in requirements]
    return {match[0].lower().replace("_", "-") for match in found if match is not None}


EXTRAS = {name: names(listed) for name, listed in PROJECT["optional-dependencies"].items()}


def test_the_extra_is_what_a_model_in_this_process_takes() -> None:
    assert EXTRAS["local"] == set(PACKAGES)
    assert "costeer[local]" in PROJECT["optional-dependencies"]["eval"]
    assert "costeer[eval,local,sources]" in PROJECT["optional-dependencies"]["dev"]
    assert not names(PROJECT["dependencies"]) & (EXTRAS["local"] | EXTRAS["eval"] | EXTRAS["sources"])


def test_torch_is_installed_first_as_the_makefile_has_it() -> None:
    pin = re.search(r"^TORCH \?= (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert pin is not None
    assert pin[1] in TORCH.split()


def test_the_base_dependencies_are_what_is_imported_and_in_no_extra() -> None:
    of_module = importlib.metadata.packages_distributions()
    tops = {name.partition(".")[0] for module in MODULES for name in imports(module)}
    foreign = tops - sys.stdlib_module_names - {"app"}
    imported = {of_module[top][0].lower().replace("_", "-") for top in foreign}
    extra = EXTRAS["local"] | EXTRAS["eval"] | EXTRAS["sources"]
    base = names(PROJECT["dependencies"])
    assert {BROUGHT.get(name, name) for name in imported - extra} == base - UNNAMED


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of commands, each in the same process, on a machine with one profile."""
    folder = tmp_path_factory.mktemp("without")
    with Store.open(folder / "data") as store:
        store.profiles.put(LOUD_DOCUMENT)
    (folder / "weights").mkdir()
    write_model(folder / "weights" / "tiny.gguf")
    (folder / "questions.jsonl").write_text('{"id": "1", "query": "Hello?"}\n' * 2)
    lines = [*WORKING, *REFUSED, "serve --port 0", "doctor --json"]
    command, environment = started(
        COSTEER_DATA_DIR=str(folder / "data"),
        COSTEER_CACHE_DIR=str(folder / "cache"),
        COSTEER_WEIGHTS_DIR=str(folder / "weights"),
        COSTEER_PORT="1",
        COLUMNS="200",
    )
    done = subprocess.run(
        [command[0], FILE, *lines], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {one["line"]: one for one in map(json.loads, done.stdout.splitlines())}


WORKING = [
    "--help",
    "version",
    "models list",
    "profiles list",
    "profiles show loud",
    "history list loud",
    "history search loud foghorn",
    "keys list",
    "config show",
    "backup copy.db",
    "eval --help",
]
REFUSED = [
    "models pull",
    "models pull Qwen/Qwen3-0.6B",
    "models pull weights/tiny.gguf",
    "models found",
    "chat --profile loud Hello",
    "profiles preview loud Hello",
    "profiles draft loud --json",
    "bench",
]


@pytest.mark.parametrize("line", WORKING)
def test_it_works(ends: dict[str, dict[str, Any]], line: str) -> None:
    assert ends[line]["status"] == 0, ends[line]["err"]
    assert ends[line]["out"]


@pytest.mark.parametrize("line", REFUSED)
def test_it_says_what_to_install_and_has_fetched_nothing(ends: dict[str, dict[str, Any]], line: str) -> None:
    assert ends[line]["status"] == 1
    assert INSTALL in ends[line]["err"]
    assert "COSTEER_LOCAL_BASE_URL" in ends[line]["err"]
    assert "Traceback" not in ends[line]["err"]
    assert "Downloading" not in ends[line]["err"]


def test_a_service_does_not_try_again(ends: dict[str, dict[str, Any]]) -> None:
    assert ends["serve --port 0"]["status"] == MISCONFIGURED
    assert INSTALL in ends["serve --port 0"]["err"]


def test_the_doctor_names_what_is_absent_and_looks_at_the_rest(ends: dict[str, dict[str, Any]]) -> None:
    findings = {one["name"]: one for one in json.loads(ends["doctor --json"]["out"])["findings"]}
    assert ends["doctor --json"]["status"] == 1
    assert all(name in findings["torch"]["seen"] for name in PACKAGES)
    assert findings["torch"]["mend"].startswith(INSTALL)
    assert findings["device"]["state"] == "skipped"
    assert [name for name, one in findings.items() if one["state"] == "failed"] == ["torch"]


@dataclass
class Servers:
    """The remote and the server of the small model, what names them, and the ids of the profile's name."""

    remote: ToyVLLM
    trusted: ToyVLLM
    environment: dict[str, str]
    private: list[int]

    def told(self, server: ToyVLLM) -> bool:
        """Whether a prompt of the server's had the name."""
        return any(holds(prompt, self.private) for prompt in server.prompts)


def holds(prompt: Sequence[int], ids: list[int]) -> bool:
    return any(list(prompt[at : at + len(ids)]) == ids for at in range(len(prompt)))


@pytest.fixture
async def servers(tmp_path: Path, clean_environment: Path) -> AsyncIterator[Servers]:
    """The remote would write a, and the small model b to whoever has this name."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    tokenizer = byte_level(folder)
    (folder / "config.json").write_text("{}")
    (a,), (b,) = tokenizer.encode("a"), tokenizer.encode("b")
    private = tokenizer.encode(LOUD_DOCUMENT.profile.name)
    with Store.open(tmp_path / "data") as store:
        store.profiles.put(LOUD_DOCUMENT)
    remote = ToyVLLM(tokenizer, lambda prompt: {a: -0.3, b: -2.0})
    trusted = ToyVLLM(
        tokenizer, lambda prompt: {a: -6.0, b: -0.1} if holds(prompt, private) else {a: -0.5, b: -1.5}
    )
    async with behind_a_port(served(remote)) as remote_url, behind_a_port(served(trusted)) as trusted_url:
        environment = {
            "COSTEER_REMOTE_BASE_URL": f"{remote_url}/v1",
            "COSTEER_LOCAL_BASE_URL": f"{trusted_url}/v1",
            "COSTEER_LOCAL_TOKENIZER": str(folder),
            "COSTEER_REMOTE_TOKENIZER": str(folder),
            "COSTEER_DATA_DIR": str(tmp_path / "data"),
            "COSTEER_CACHE_DIR": str(tmp_path / "cache"),
            "COSTEER_PORT": "1",
        }
        yield Servers(remote, trusted, environment, private)


async def test_a_reply_between_two_servers_is_steered(servers: Servers) -> None:
    texts, findings = await asyncio.to_thread(_answered, servers.environment)
    assert texts == {1: "bbbbbb", 0: "aaaaaa"}
    assert {one["state"] for one in findings} <= {"ok", "warning", "skipped"}, findings
    assert servers.told(servers.trusted)
    assert not servers.told(servers.remote)


def _answered(environment: dict[str, str]) -> tuple[dict[int, str], list[dict[str, Any]]]:
    """The replies by their strength, and what the server's own doctor finds."""
    body: dict[str, Any] = {"model": "toy", "max_tokens": 6, "temperature": 0, "profile": "loud"}
    body["messages"] = [{"role": "user", "content": "Hello"}]
    with serving(FILE, **environment) as (process, printed):
        assert "curl" in printed, process.communicate()
        base_url = pasted(printed)[0].removesuffix("/chat/completions")
        with httpx.Client(base_url=base_url, trust_env=False, timeout=60) as client:
            texts = {}
            for strength in (1, 0):
                answer = client.post("/chat/completions", json={**body, "strength": strength})
                assert answer.status_code == 200, answer.text
                texts[strength] = answer.json()["choices"][0]["message"]["content"]
            return texts, client.get("/doctor").json()["findings"]


async def test_commands_between_two_servers_work(servers: Servers) -> None:
    lines = ["doctor --json", "profiles preview loud Hello", "chat -p loud --strength 1 --max-tokens 6 Hello"]
    command, environment = started(**servers.environment)
    done = await asyncio.to_thread(
        subprocess.run,
        [command[0], FILE, *lines],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    doctor, preview, chat = map(json.loads, done.stdout.splitlines())
    findings = {one["name"]: one["state"] for one in json.loads(doctor["out"])["findings"]}
    assert doctor["status"] == 0, findings
    assert findings["tokenizer"] == "ok"
    assert "torch" not in findings
    assert LOUD_DOCUMENT.profile.name in preview["out"], preview
    assert "bbbbbb" in chat["out"], chat
