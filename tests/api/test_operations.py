"""GET /ready and GET /metrics: what who runs the server is told, and that it names nobody."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from conftest import Proxy
from fakes import PRIVATE, FakeRemote

from api.routes.test_chat import chunks_of
from app.api import readiness
from app.api.metrics import Metrics
from app.decoding.request import DecodingConfig
from app.errors import RemoteUnavailable, StoreError
from app.network.proxy import Proxy as RemoteProxy
from app.profiles.store.engine import named_errors
from app.profiles.store.shelves import StoredShelves
from app.profiles.store.state import STATE
from app.remote.replicas import Replicas
from app.remote.several import SeveralRemotes


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEPT_SECONDS", -1.0)


async def ready(proxy: Proxy) -> tuple[int, dict[str, Any]]:
    response = await proxy.client.get("/ready")
    return response.status_code, response.json()


async def reasons(proxy: Proxy) -> dict[str, str]:
    """Why which parts are not ready."""
    status, body = await ready(proxy)
    assert (status, body["status"]) == (503, "not ready")
    return {name: part["reason"] for name, part in body["parts"].items() if not part["ready"]}


async def test_with_everything_there_it_is_ready(proxy: Proxy) -> None:
    status, body = await ready(proxy)
    assert (status, body["status"], body["alignment"]) == (200, "ready", "identity")
    assert body["parts"] == {
        name: {"ready": True, "reason": None} for name in ("remote", "tokenizer", "local_model", "database")
    }


async def test_a_remote_that_is_not_there_is_named_and_then_is_back(proxy: Proxy) -> None:
    proxy.remote.unreachable = RemoteUnavailable("http://secret-host:1 cannot be reached.")
    found = await reasons(proxy)
    assert found["remote"] == "The remote does not answer. (remote_unavailable)"
    assert "not compared yet" in found["tokenizer"].lower()
    assert "secret-host" not in str(found)
    proxy.remote.unreachable = None
    assert (await ready(proxy))[0] == 200


async def test_a_remote_that_hangs_is_not_waited_for(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(proxy.remote, "cards", hang)
    assert (await reasons(proxy))["remote"].endswith("(timeout)")


async def test_another_tokenizer_is_named(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def other(text: str) -> list[int]:
        return [1]

    monkeypatch.setattr(proxy.remote, "tokenize_text", other)
    assert list(await reasons(proxy)) == ["tokenizer"]


async def test_a_database_that_cannot_be_written_is_named(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> NoReturn:
        raise StoreError("/home/lotte/costeer.db: the disk is full", reason="the disk is full")

    monkeypatch.setattr(proxy.store, "check", broken)
    found = await reasons(proxy)
    assert list(found) == ["database"]
    assert found["database"] == "The database cannot be written. (the disk is full)"


async def test_of_several_workers_what_they_share_is_looked_at_too(proxy: Proxy, tmp_path: Path) -> None:
    with StoredShelves.open(tmp_path) as shelves:
        proxy.app.state.parts = replace(proxy.app.state.parts, board=shelves.board)
        status, body = await ready(proxy)
        assert (status, body["parts"]["state"]) == (200, {"ready": True, "reason": None})
        (tmp_path / STATE).unlink()
        (tmp_path / STATE).mkdir()
        assert await reasons(proxy) == {
            "state": "What the workers share cannot be written. (it cannot be opened)"
        }
        (tmp_path / STATE).rmdir()
        assert (await ready(proxy))[0] == 200, "it is begun anew"
        (tmp_path / STATE).write_bytes(b"Lotte's diary" * 1000)
        assert (await ready(proxy))[0] == 200
        with closing(sqlite3.connect(tmp_path / STATE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert list(await reasons(proxy)) == ["state"]


async def test_probes_in_quick_succession_ask_once(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 3600.0)
    before = proxy.remote.listed
    for _ in range(5):
        await asyncio.gather(*(proxy.client.get("/ready") for _ in range(5)))
    assert proxy.remote.listed == before + 1


async def test_probes_need_no_key(proxy: Proxy) -> None:
    proxy.store.keys.create("admin", None)
    assert (await ready(proxy))[0] == 200
    assert (await proxy.client.get("/ready", headers={"Host": "10.0.0.7:8000"})).status_code == 200


async def metrics(proxy: Proxy) -> dict[str, float]:
    response = await proxy.client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    lines = [line.rpartition(" ") for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_replies_are_counted_with_what_they_cost(proxy: Proxy) -> None:
    await proxy.chat(profile="loud", stream=True)
    await proxy.chat(profile="loud")
    await proxy.chat()
    found = await metrics(proxy)
    assert found['costeer_replies_total{steered="true"}'] == 2
    assert found['costeer_replies_total{steered="false"}'] == 1
    assert found['costeer_tokens_total{steered="true"}'] >= 2 * len("HELLO WORLD")
    assert found['costeer_first_token_seconds_count{steered="true"}'] == 2
    assert found["costeer_changed_tokens_total"] == 2 * len("HELLOWORLD")
    assert found["costeer_remote_requests_total"] > 3
    assert found["costeer_drafted_tokens_total"] > 0
    assert found['costeer_local_prompt_tokens_total{source="prefilled"}'] > 0
    assert {
        f'costeer_reply_seconds_total{{stage="{s}"}}' for s in ("remote", "local", "steering")
    } <= found.keys()
    chats = 'costeer_requests_total{method="POST",route="/v1/chat/completions",status="200"}'
    assert found[chats] == 3
    assert found['costeer_requests_now{kind="written",state="running"}'] == 0


@pytest.mark.parametrize(
    "config", [DecodingConfig(max_model_len=8192, draft_length=6, local_patience=30.0)], ids=["unsteered"]
)
async def test_tokens_that_the_local_model_left_unsteered_are_counted(proxy: Proxy) -> None:
    proxy.local.broken = RuntimeError("out of memory")
    await proxy.chat(profile="loud")
    assert (await metrics(proxy))["costeer_unassisted_tokens_total"] > 0


async def test_a_client_can_make_no_label(proxy: Proxy) -> None:
    for number in range(30):
        await proxy.client.get(f"/v1/profiles/made-up-{number}")
        await proxy.client.get(f"/made-up-{number}")
        await proxy.client.request(f"MADE-UP-{number}", "/health")
        await proxy.client.get("/health", headers={"X-Request-Id": f"made-up-{number}"})
        await proxy.client.post(f"/v1/files/made-up-{number}", json={})
    text = (await proxy.client.get("/metrics")).text.lower()
    assert "made-up" not in text
    assert len(re.findall("^costeer_requests_total", text, re.MULTILINE)) < 10


async def test_metrics_hold_nothing_private(proxy: Proxy) -> None:
    for profile in ("loud", "joined"):
        await proxy.chat(profile=profile)
        await proxy.client.get(f"/v1/profiles/{profile}/export")
    text = (await proxy.client.get("/metrics")).text
    assert [value for value in (*PRIVATE, "loud", "joined", "hello", "HELLO") if value in text] == []


async def test_metrics_are_for_who_may_see_all_profiles(proxy: Proxy) -> None:
    _, of_loud = proxy.store.keys.create("mine", "loud")
    profile_key = {"Authorization": f"Bearer {of_loud}"}
    assert (await proxy.client.get("/metrics", headers=profile_key)).status_code == 403
    assert (await proxy.client.get("/metrics", headers={"Host": "evil.example"})).status_code == 403
    _, admin = proxy.store.keys.create("admin", None)
    assert (await proxy.client.get("/metrics")).status_code == 401
    scraped = await proxy.client.get("/metrics", headers={"Authorization": f"Bearer {admin}"})
    assert scraped.status_code == 200


async def test_ready_names_the_proxy_to_the_remote_without_its_password(proxy: Proxy) -> None:
    assert (await ready(proxy))[1]["proxy"] is None
    to_remote = RemoteProxy("http://lotte:pa55word@proxy.test:3128", "COSTEER_REMOTE_PROXY")
    readiness.install(proxy.app, to_remote)
    assert (await ready(proxy))[1]["proxy"] == "http://proxy.test:3128 (COSTEER_REMOTE_PROXY)"


async def test_of_several_remotes_it_is_told_how_each_does(proxy: Proxy) -> None:
    assert (await ready(proxy))[1]["remotes"] is None
    away = FakeRemote()
    away.unreachable = RemoteUnavailable("http://secret-host:1 cannot be reached.")
    async with aclosing(Replicas([proxy.remote, away])) as replicas:
        several = SeveralRemotes(replicas)
        proxy.app.state.parts = replace(proxy.app.state.parts, remote=several)
        proxy.app.state.metrics.watch_remotes(several)
        status, body = await ready(proxy)
        assert (status, body["remotes"]) == (200, ["ready", "resting"])
        assert "secret-host" not in str(body)
        found = (await proxy.client.get("/metrics")).text
    assert 'costeer_remote_ready{remote="1"} 1.0' in found
    assert 'costeer_remote_ready{remote="2"} 0.0' in found


async def test_no_client_is_told_where_the_database_lies(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = proxy.store.profiles._database.path

    def locked(_: object) -> NoReturn:
        with named_errors(path):
            raise sqlite3.OperationalError("database is locked")

    def unreadable(_: object) -> NoReturn:
        with named_errors(path):
            raise PermissionError(13, "Permission denied", str(path))

    for failing in (locked, unreadable):
        monkeypatch.setattr(type(proxy.store.profiles), "list", failing)
        with pytest.raises(StoreError) as caught:
            proxy.store.profiles.list()
        assert str(path) in str(caught.value), "whoever runs it is told"
        response = await proxy.client.get("/v1/profiles")
        assert response.status_code == 500
        assert str(path.parent) not in response.text
        assert response.json()["error"]["message"].startswith("The database: ")


@pytest.mark.parametrize("stream", [False, True])
async def test_counting_that_fails_costs_no_reply(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Metrics, "answered", fail)
    monkeypatch.setattr(Metrics, "replied", fail)
    response = await proxy.chat(stream=stream)
    assert response.status_code == 200
    assert chunks_of(response) if stream else "hello world" in response.text
