"""GET /v1/doctor and GET /v1/activity: what they say, to whom, and what an examination leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Proxy
from doctor.fake_vllm import FakeVLLM
from doctor.folders import model_folder
from pydantic import SecretStr

from api.routes.test_chat import data_of
from app.doctor.shared import SharedExamination
from app.errors import RemoteError
from app.local.weights import disk
from app.main import create_app
from app.remote.vllm import VLLMRemote
from app.settings.settings import Settings

NAMES = [
    *("settings", "python", "local weights", "disk", "torch", "device", "database", "port", "access"),
    *("remote", "api key", "model", "logprobs", "round trip", "prefix cache", "re-request"),
    *("tokenizer", "chat template"),
]
SECRETS = ("sk-remote-secret", "pa55word", "pr0xyword")


class Server:
    """A server with these settings, over the proxy's fakes; `vllm` is the remote that is examined."""

    def __init__(self, proxy: Proxy, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.vllm, self.opened = FakeVLLM(told_by="usage"), 0
        self.settings = Settings(
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            local_model=str(model_folder(folder / "small-model")),
            remote_base_url="http://vllm.test:8001/v1",
            remote_api_key=SecretStr("sk-remote-secret"),
        )
        self._parts = proxy.app.state.parts
        monkeypatch.setattr("app.remote.vllm.VLLMRemote", self._remote)

    def _remote(self, _: str, *, spare: bool, **options: Any) -> VLLMRemote:
        self.opened += 1
        return self.vllm.remote(**options)

    async def get(self, path: str = "/v1/doctor", **options: Any) -> httpx.Response:
        app = create_app(self.settings, self._parts)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            return await client.get(path, **options)

    async def found(self) -> dict[str, dict[str, str]]:
        told = (await self.get()).json()
        return {one["name"]: one for one in told["findings"]}


@pytest.fixture
def server(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(proxy, tmp_path, monkeypatch)


async def test_a_server_that_is_well_says_so_of_each(server: Server) -> None:
    told = (await server.get()).json()
    assert list(told) == ["object", "ok", "findings"]
    assert (told["object"], told["ok"]) == ("doctor", True)
    assert [one["name"] for one in told["findings"]] == NAMES
    assert {one["state"] for one in told["findings"]} == {"ok"}, told
    assert all(set(one) == {"name", "state", "seen", "mend"} for one in told["findings"])


async def test_what_is_broken_comes_with_what_mends_it(server: Server) -> None:
    server.vllm.down = True
    told = (await server.get()).json()
    found = {one["name"]: one for one in told["findings"]}
    assert told["ok"] is False
    assert [name for name, one in found.items() if one["state"] == "failed"] == ["remote"]
    assert "COSTEER_REMOTE_BASE_URL" in found["remote"]["mend"]
    assert found["tokenizer"]["state"] == "skipped"


async def test_a_stream_has_each_finding_and_ends_with_the_whole(server: Server) -> None:
    answer = await server.get("/v1/doctor", params={"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *told, whole = map(json.loads, data_of(answer)[:-1])
    assert data_of(answer)[-1] == "[DONE]"
    assert whole["object"] == "doctor"
    assert {one.pop("object") for one in told} == {"doctor.finding"}
    assert told == whole["findings"]
    assert [one["name"] for one in told] == NAMES


async def test_it_goes_by_the_server_s_settings_and_not_by_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSTEER_REMOTE_BASE_URL", "http://elsewhere.test/v1")
    monkeypatch.setenv("COSTEER_PORT", "70000")
    found = await server.found()
    assert found["remote"]["seen"].startswith("http://vllm.test:8001/v1 is a vLLM")
    assert found["settings"]["state"] == "ok"
    assert "port 8000" in found["port"]["seen"]


async def test_a_server_in_use_is_not_disturbed(
    server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("an examination must not do this")

    monkeypatch.setattr("app.doctor.port.listen", forbidden)
    monkeypatch.setattr("app.tokenization.tokenizer.Tokenizer", forbidden)
    monkeypatch.setattr("app.doctor.machine._torch", forbidden)
    monkeypatch.setattr(disk, "digest", forbidden)
    await proxy.app.state.parts.generator.match()
    before, asked = proxy.store.profiles.export("joined"), len(proxy.remote.handed)
    found = await server.found()
    assert {one["state"] for one in found.values()} == {"ok"}
    assert proxy.store.profiles.export("joined") == before
    assert not server.settings.cache_dir.exists()
    assert len(proxy.remote.handed) == asked  # the vocabularies are not compared again


async def test_a_remote_on_this_machine_is_spared_long_prompts(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VLLMRemote, "on_this_machine", True)
    found = await server.found()
    assert (found["prefix cache"]["state"], found["prefix cache"]["mend"]) == ("skipped", "costeer doctor")
    assert max(len(body) for _, body in server.vllm.seen) < 1000


async def test_a_file_of_weights_is_not_read_through(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF")
    server.settings = server.settings.model_copy(update={"local_model": str(file)})
    monkeypatch.setattr(disk, "digest", lambda *_: 1 / 0)
    found = await server.found()
    assert found["local weights"]["seen"] == f"{file}: loaded when this server started"
    assert "the number format it was loaded with" in found["device"]["seen"]


async def test_with_an_embedded_remote_what_asks_a_vllm_is_skipped(server: Server) -> None:
    embedded = {"remote_base_url": "embedded", "embedded_model": server.settings.local_model}
    server.settings = server.settings.model_copy(update=embedded)
    told = (await server.get()).json()
    found = {one["name"]: one for one in told["findings"]}
    assert told["ok"] is True
    assert {found[name]["seen"] for name in ("remote", "model")} == {"The remote is embedded"}
    assert "alignment: identity" in found["tokenizer"]["seen"]
    assert server.opened == 0


async def test_those_who_ask_at_once_and_again_share_one_examination(server: Server, proxy: Proxy) -> None:
    app = create_app(server.settings, proxy.app.state.parts)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        first = (await client.get("/v1/doctor")).json()
        assert (await client.get("/v1/doctor")).json() == first
    assert server.opened == 1


def _quoting(_: object) -> None:
    raise ZeroDivisionError("sk-remote-secret")


@pytest.mark.parametrize("breaks", [None, "key", "proxy", "database", "url"])
async def test_no_finding_has_a_secret(
    server: Server, monkeypatch: pytest.MonkeyPatch, breaks: str | None
) -> None:
    through = {"remote_proxy": SecretStr("http://lotte:pr0xyword@proxy.test:3128")}
    server.settings = server.settings.model_copy(update=through)
    if breaks == "key":
        server.vllm.key = "sk-other"
    if breaks == "proxy":
        broken = {"remote_proxy": SecretStr("socks5://lotte:pr0xyword@proxy.test:1080")}
        server.settings = server.settings.model_copy(update=broken)
    if breaks == "url":
        named = {
            "remote_base_url": "http://lotte:pa55word@vllm.test:8001/v1",
            "remote_api_key": SecretStr(""),
        }
        server.settings, server.vllm.down = server.settings.model_copy(update=named), True
    if breaks == "database":
        monkeypatch.setattr("app.doctor.database.inspect", _quoting)
    answer = await server.get()
    assert answer.status_code == 200
    assert not [secret for secret in SECRETS if secret in answer.text]
    if breaks == "key":
        assert "COSTEER_REMOTE_API_KEY" in answer.text
    if breaks is None:
        assert "proxy.test:3128" in answer.text


async def test_an_examination_that_cannot_be_made_is_an_error_in_both_forms(proxy: Proxy) -> None:
    proxy.app.state.examination = SharedExamination(lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
    (event,) = data_of(await proxy.client.get("/v1/doctor?stream=true"))
    assert json.loads(event)["error"]["type"] == "server_error"
    assert (await proxy.client.get("/v1/doctor")).status_code == 500


@pytest.mark.parametrize("path", ["/v1/doctor", "/v1/doctor?stream=true", "/v1/activity"])
async def test_they_are_for_whoever_may_do_everything(server: Server, proxy: Proxy, path: str) -> None:
    _, admin = proxy.store.keys.create("admin", None)
    _, own = proxy.store.keys.create("own", "loud")
    answers = {
        "none": await server.get(path),
        "own": await server.get(path, headers={"Authorization": f"Bearer {own}"}),
        "unknown": await server.get(path, headers={"Authorization": "Bearer costeer-made-up"}),
        "admin": await server.get(path, headers={"Authorization": f"Bearer {admin}"}),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "none": 401,
        "own": 403,
        "unknown": 401,
        "admin": 200,
    }
    assert server.opened == ("doctor" in path)


@pytest.mark.parametrize("path", ["/v1/doctor", "/v1/activity"])
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.test"}, {"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_pages_of_other_sites_are_refused(server: Server, path: str, headers: dict[str, str]) -> None:
    assert (await server.get(path, headers=headers)).status_code == 403
    assert server.opened == 0


async def activity(proxy: Proxy) -> dict[str, Any]:
    answer: dict[str, Any] = (await proxy.client.get("/v1/activity")).json()
    return answer


async def test_replies_are_in_the_last_minutes(proxy: Proxy) -> None:
    await proxy.chat(profile="loud", stream=True)
    await proxy.chat(profile="loud")
    await proxy.chat()
    told = await activity(proxy)
    assert told["object"] == "activity"
    total = told["total"]
    assert (total["replies"], total["steered"], total["errors"]) == (3, 2, 0)
    assert total["changed"] == 2 * len("HELLOWORLD")
    assert total["acceptance"] == pytest.approx(total["kept"] / (total["kept"] + total["changed"]), abs=1e-4)
    assert total["drafted"] > 0
    assert 0 < total["first_token"] < 600
    assert sum(minute["replies"] for minute in told["data"]) == 3
    assert set(told["data"][-1]) == {"at", *total}


async def test_it_names_nobody(proxy: Proxy) -> None:
    await proxy.chat(profile="loud", messages=[{"role": "user", "content": "My secret is plum."}])
    told = json.dumps(await activity(proxy))
    assert "loud" not in told.lower()
    assert "plum" not in told


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_a_reply_that_fails_half_way_is_one_error(proxy: Proxy, path: str, stream: bool) -> None:
    proxy.remote.failure, proxy.remote.failing_after = RemoteError("The connection broke."), 3
    content = (
        {"input": "Say hello."}
        if "responses" in path
        else {"messages": [{"role": "user", "content": "Say hello."}]}
    )
    body = {"model": "fake-model@loud", "stream": stream, **content}
    answer = await proxy.client.post(path, json=body)
    assert answer.status_code == (200 if stream else 502)
    assert (await activity(proxy))["total"]["errors"] == 1
