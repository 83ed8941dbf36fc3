"""All checks with third-party clients, against servers from this tree, as one table: run.py [NAME ...].

A name picks the checks whose names hold it. What each printed is in the folder of logs that is named at the
end. `make test-clients` installs the clients first (install.sh), and runs this.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servers import BUNDLE, PROFILE, ROOT, TOOLS_BUNDLE, Server, costeer, fake_vllm, prism

HERE = Path(__file__).parent
CLIENTS = Path(os.environ.get("CLIENTS", ROOT / ".venv-clients"))
PYTHON = CLIENTS / "clients/bin/python"
OPENAI = CLIENTS / "openai/bin/python"
AGENTS = CLIENTS / "agents/bin/python"
NODE = CLIENTS / "node"
OPENAI_TESTS = ("tests/api_resources/chat/test_completions.py", "tests/api_resources/test_models.py")
RESPONSES_TESTS = (
    "tests/api_resources/test_responses.py",
    "tests/api_resources/responses/test_input_items.py",
)
SPECIFICATION = "lib/python3*/site-packages/llm_comply/specs/openai_chat.json"
MODEL = "gpt-6-astra"  # the fake vLLM's
FUZZ_CASES = 2000
GENERATED = re.compile(r"(\d+) generated,")
# named_failures stands for not_a_server_error. Whether all that the document forbids is refused is left out:
# a document cannot say everything that is checked.
FUZZ_CHECKS = (
    "status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,use_after_free,ensure_resource_availability,"
    "named_failures,openai_shape"
)
LAST_LINES = 400
# Soon full, so that memory which still grows is no cache that fills.
SMALL_CACHE = {"COSTEER_KV_CACHE_MIB": "64"}
TOOLS_SETTINGS = {
    **SMALL_CACHE,
    "COSTEER_LOCAL_MODEL": TOOLS_BUNDLE,
    "COSTEER_EMBEDDED_MODEL": TOOLS_BUNDLE,
}
# An embedded model sees no images.
OPEN_RESPONSES = (
    "basic-response,system-prompt,multi-turn,tool-calling,streaming-response,streaming-usage,assistant-phase,"
    "response-output-phase-schema,error-handling"
)
OPENAI_CHAT_TOOLS = "chat-tool-calling"
PROTOCOLS = {
    "http1.0": "a raw client of HTTP/1.0",
    "http2": "curl --http2",
    "jdk": "the JDK's HttpClient",
    "litellm": "litellm, store and service_tier",
}


@dataclass(frozen=True)
class Outcome:
    name: str
    passed: bool
    summary: str
    seconds: float


@dataclass
class Table:
    """Runs checks and keeps what came of them."""

    wanted: list[str]
    logs: Path
    outcomes: list[Outcome] = field(default_factory=list)

    def check(
        self,
        name: str,
        command: list[str],
        summary: Callable[[str], str] | None = None,
        *,
        cwd: Path = HERE,
        environment: Mapping[str, str] | None = None,
        also: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Runs the command; it passes with exit status 0 and when `also` holds of what it printed."""
        if self.wanted and not any(word in name for word in self.wanted):
            return
        start = time.monotonic()
        run = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        (self.logs / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.log").write_text(run.stdout)
        lines = run.stdout.strip().splitlines() or ["printed nothing"]
        told = summary(run.stdout) if summary else lines[-1]
        passed = run.returncode == 0 and also(run.stdout)
        self.outcomes.append(Outcome(name, passed, told, time.monotonic() - start))
        print(f"{'pass' if passed else 'FAIL'}  {name:<54}{told[:110]}", flush=True)
        if not passed:
            for line in [
                line for line in lines if any(mark in line for mark in ("FAILED", "✗", "❌", "    curl"))
            ][:40]:
                print(f"        {line.strip()[:200]}")


def main(wanted: list[str]) -> int:
    # So that servers are stopped when this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logs = Path(tempfile.mkdtemp(prefix="costeer-clients-"))
    table = Table(wanted, logs)
    with fake_vllm() as remote, costeer(remote, SMALL_CACHE) as server:
        server.post("/v1/profiles", PROFILE)
        print(f"CoSteer at {server.base_url}, before a fake vLLM at {remote.base_url}")
        clients(table, server, MODEL, "fake")
        openai_tests(table, server)
        latency(table, server, MODEL, "fake")
        aborts(table, server, MODEL, "fake", remote)
        fuzz(table, server)
        raw_fuzz(table, server)
    with costeer(settings=SMALL_CACHE) as server:
        server.post("/v1/profiles", PROFILE)
        print(f"CoSteer at {server.base_url}, with {BUNDLE} in both roles")
        clients(table, server, BUNDLE, "embedded")
        latency(table, server, BUNDLE, "embedded")
        aborts(table, server, BUNDLE, "embedded", None)
    with costeer(settings=TOOLS_SETTINGS) as server:
        server.post("/v1/profiles", PROFILE)
        print(f"CoSteer at {server.base_url}, with {TOOLS_BUNDLE} in both roles")
        tools(table, server, TOOLS_BUNDLE)
    # It starts a server of its own.
    table.check("what one profile can guess of another", [sys.executable, "cache_oracle.py", "25"], joined)
    failed = [outcome.name for outcome in table.outcomes if not outcome.passed]
    print(f"\n{len(table.outcomes) - len(failed)} of {len(table.outcomes)} checks pass; logs in {logs}")
    print("".join(f"  failed: {name}\n" for name in failed), end="")
    return int(bool(failed))


def clients(table: Table, server: Server, model: str, kind: str) -> None:
    """Whatever needs a remote with tools and images is checked before the fake only."""
    url = server.base_url
    if kind == "fake":
        comply(table, server, model, "openai-chat")
        comply(table, server, model, "open-responses", OPEN_RESPONSES.replace("tool-calling,", ""))
    table.check(f"openai-python, strict ({kind})", [str(OPENAI), "strict.py", url, kind])
    table.check(f"openai-python, strict, responses ({kind})", [str(OPENAI), "strict_responses.py", url, kind])
    table.check(f"openai npm package ({kind})", ["node", script("openai.mjs"), url, kind])
    for name in ("langchain-openai", "llama-index", "litellm", "llm"):
        table.check(
            f"{name}, two streamed turns ({kind})",
            [str(PYTHON), "two_turns.py", name, url, model],
            environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )
    for client, name in PROTOCOLS.items():
        table.check(
            f"{name} ({kind})",
            [str(PYTHON), "protocols.py", client, url, model],
            environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )


def tools(table: Table, server: Server, model: str) -> None:
    """Clients with functions to call, all with a profile: its id stands in the model's name."""
    url, steered = server.base_url, f"{model}@{PROFILE['id']}"
    comply(table, server, model, "openai-chat", OPENAI_CHAT_TOOLS)
    comply(table, server, model, "open-responses", OPEN_RESPONSES)
    table.check(
        "openai-python, strict, responses (tools)", [str(OPENAI), "strict_responses.py", url, "tools"]
    )
    table.check("openai npm package (tools)", ["node", script("openai.mjs"), url, "tools"])
    table.check("Vercel AI SDK", ["node", script("ai.mjs"), url, steered])
    for name in ("openai-agents", "pydantic-ai, responses", "pydantic-ai, chat"):
        table.check(name, [str(AGENTS), "with_tools.py", name, url, steered])
    table.check("langchain, responses", [str(PYTHON), "with_tools.py", "langchain, responses", url, steered])
    table.check("Codex", [sys.executable, "codex.py", str(NODE / "node_modules/.bin/codex"), url, steered])


def script(name: str) -> str:
    """A copy of it where Node finds the packages: it looks beside the script."""
    return str(shutil.copy(HERE / name, NODE / name))


def comply(table: Table, server: Server, model: str, form: str, tests: str = "") -> None:
    command = [str(PYTHON.with_name("llm-comply")), "--format", form, "-u", server.base_url]
    command += ["-m", model, "-k", "x", "--timeout", "300", *(["-f", tests] if tests else [])]
    table.check(
        f"llm-comply {form} ({model})",
        command,
        lambda text: next((line.strip("─ ") for line in text.splitlines() if "passed" in line), "?"),
    )


def openai_tests(table: Table, server: Server) -> None:
    """openai-python's own tests, and for comparison against a mock of OpenAI's specification."""
    (specification,) = CLIENTS.joinpath("clients").glob(SPECIFICATION)
    chosen = [*OPENAI_TESTS, "-k", "create or list or retrieve"]
    command = [str(OPENAI), "-m", "pytest", *chosen, "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    responses = [str(OPENAI), "-m", "pytest", "-p", "own_tests", *RESPONSES_TESTS]
    table.check(
        "openai-python's own tests of responses",
        [
            *responses,
            "-k",
            "create or retrieve or delete or list",
            *command[-5:],
        ],
        cwd=CLIENTS / "openai-python",
        environment={"TEST_API_BASE_URL": server.base_url, "OWN_TESTS_MODEL": MODEL, "PYTHONPATH": str(HERE)},
    )
    with prism(str(NODE / "node_modules/.bin/prism"), specification) as mock:
        for name, url in (("CoSteer", server.base_url), ("a mock of the specification", mock.root)):
            table.check(
                f"openai-python's own tests, {name}",
                command,
                cwd=CLIENTS / "openai-python",
                environment={"TEST_API_BASE_URL": url},
            )


def fuzz(table: Table, server: Server) -> None:
    configured = ["--config-file", str(HERE / "schemathesis.toml")]
    command = [str(PYTHON.with_name("schemathesis")), *configured, "run", f"{server.root}/openapi.json"]
    options = ["-c", FUZZ_CHECKS, "--continue-on-failure", "--request-timeout", "30"]
    for name, wider in (
        ("all routes", ["--max-examples", "120"]),
        ("responses", ["--max-examples", "700", "--include-path-regex", "^/v1/responses"]),
    ):
        table.check(
            f"schemathesis, {name}",
            [*command, *options, *wider],
            lambda text: next((line.strip() for line in text.splitlines() if GENERATED.search(line)), "?"),
            cwd=table.logs,  # it leaves a folder
            environment={"SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HERE), "FUZZ_MODEL": MODEL},
            also=lambda text: sum(int(number) for number in GENERATED.findall(text)) >= FUZZ_CASES,
        )


def raw_fuzz(table: Table, server: Server) -> None:
    table.check(
        "raw bytes",
        [sys.executable, "raw_fuzz.py", str(server.port), str(server.pid)],
        environment={"PYTHONPATH": str(HERE.parent)},
    )


def latency(table: Table, server: Server, model: str, kind: str) -> None:
    table.check(
        f"first byte, 4,000 tokens ({kind})",
        [sys.executable, "first_byte.py", str(server.port), model],
        joined,
    )


def aborts(table: Table, server: Server, model: str, kind: str, remote: Server | None) -> None:
    ports = [str(server.port), str(server.pid), model, *([str(remote.port)] if remote else [])]
    table.check(f"aborts ({kind})", [sys.executable, "aborts.py", *ports], joined)


def joined(text: str) -> str:
    return "; ".join(text.strip().splitlines())[-LAST_LINES:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
