"""A vLLM that is well, and each way in which one may be wrong, with what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from fakes import PRIVATE, FakeTokenizer
from remote.recordings import BASE

from app.doctor import alike, asking_again, embedded, remote
from app.doctor.check import Check, Finding, State, Verdict, ok
from app.errors import CoSteerError, TokenizerMismatch
from app.network.proxy import Proxy
from app.remote.prompt import CONVERSATIONS
from app.remote.vllm import VLLMRemote
from app.tokenization.probes import PROBES
from doctor.fake_vllm import FakeVLLM
from doctor.verdicts import findings

# Their names, two conversations and what those spell, and two for what closes a reply.
SPECIAL_TOKENS = 7


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "COUNTED", 0)


@pytest.fixture(autouse=True)
def undated(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: str) -> FakeTokenizer:
        tokenizer = FakeTokenizer()
        tokenizer.dated = False
        return tokenizer

    monkeypatch.setattr("app.tokenization.tokenizer.Tokenizer", load)


@pytest.fixture(autouse=True)
def unmapped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def vocabulary(_: VLLMRemote) -> NoReturn:
        raise TokenizerMismatch("The remote's tokens have no bytes of their own.")

    monkeypatch.setattr(VLLMRemote, "vocabulary", vocabulary)


async def examined(
    fake: FakeVLLM, *, folder: Path | None = Path("model"), wanted: int = 20, **options: Any
) -> Mapping[str, Finding]:
    async def fine() -> Verdict:
        return ok("")

    async with aclosing(fake.remote(**options)) as vllm:
        return await findings(
            [
                *(Check(name, fine) for name in ("torch", "local weights")),
                *remote.checks(vllm, url=BASE, has_key="api_key" in options, top_logprobs=wanted),
                *alike.Alike(vllm, "small-model", lambda: folder).checks(),
            ]
        )


def unwell(found: Mapping[str, Finding]) -> list[str]:
    return [name for name, finding in found.items() if finding.state in {State.FAILED, State.WARNING}]


async def test_of_a_vllm_that_is_well_everything_is_ok_and_told() -> None:
    found = await examined(FakeVLLM())
    assert {finding.state for finding in found.values()} == {State.OK}
    assert "vLLM 0.32.0" in found["remote"].seen
    assert found["model"].seen == "fake-model, 4,096 tokens"
    assert "ms" in found["round trip"].seen
    assert "384 of 400" in found["prefix cache"].seen
    assert "small-model" in found["tokenizer"].seen
    assert "rendered here" in found["chat template"].seen


async def test_only_fixed_texts_are_sent_and_few_requests() -> None:
    fake = FakeVLLM()
    await examined(fake)
    sent = "\n".join(body for _, body in fake.seen)
    assert not any(text in sent for text in PRIVATE)
    drafts = [path for path, _ in fake.seen if path == "/v1/completions"]
    assert len(drafts) == 3 + 2 * (1 + asking_again.REPEATS) + 1
    assert len([path for path, _ in fake.seen if path == "/tokenize"]) == 3 + len(PROBES) + 7 + len(
        CONVERSATIONS
    )


async def test_a_remote_that_is_down_is_one_failure_and_the_rest_is_skipped() -> None:
    found = await examined(FakeVLLM(down=True))
    assert unwell(found) == ["remote"]
    assert BASE in found["remote"].seen
    assert "COSTEER_REMOTE_BASE_URL" in found["remote"].mend
    assert {found[name].state for name in (*remote.NAMES[1:], *alike.NAMES)} == {State.SKIPPED}


async def test_a_server_that_is_no_vllm_is_named() -> None:
    fake = FakeVLLM()
    options: dict[str, Any] = {"transport": httpx.MockTransport(fake.answer), "spare": False}
    async with aclosing(VLLMRemote(f"{BASE}/elsewhere", **options)) as vllm:
        (check, *_) = remote.checks(vllm, url=BASE, has_key=False, top_logprobs=20)
        (finding,) = (await findings([check])).values()
    assert finding.state is State.WARNING
    assert "/v1" in finding.mend


@pytest.mark.parametrize(("version", "state"), [("0.7.3", "failed"), ("0.8.0", "ok"), ("0.6.9.dev1", "ok")])
async def test_a_vllm_before_0_8_has_to_be_upgraded(version: str, state: str) -> None:
    assert (await examined(FakeVLLM(version=version)))["remote"].state == state


@pytest.mark.parametrize(
    ("asked", "options", "state", "seen"),
    [
        ("sk-right", {"api_key": "sk-right"}, "ok", "accepts it"),
        ("sk-right", {"api_key": "sk-wrong"}, "failed", "refuses COSTEER_REMOTE_API_KEY"),
        ("sk-right", {}, "failed", "asks for an API key"),
        ("", {"api_key": "sk-idle"}, "ok", "asks for none"),
        ("", {}, "ok", "asks for none"),
    ],
)
async def test_the_api_key_is_accepted_refused_missing_or_idle(
    asked: str, options: dict[str, Any], state: str, seen: str
) -> None:
    found = await examined(FakeVLLM(key=asked), **options)
    assert found["api key"].state == state
    assert seen in found["api key"].seen
    if state == "failed":
        assert "COSTEER_REMOTE_API_KEY" in found["api key"].mend
    assert "sk-" not in "".join(finding.seen + finding.mend for finding in found.values())


async def test_an_unknown_model_is_named_with_one_that_is_served() -> None:
    found = await examined(FakeVLLM(), model="other-model")
    assert unwell(found) == ["model"]
    assert "'other-model'" in found["model"].seen
    assert found["model"].mend == "COSTEER_REMOTE_MODEL=fake-model"


async def test_a_remote_that_lists_no_model_is_to_be_started_with_one() -> None:
    assert "--model" in (await examined(FakeVLLM(models=())))["model"].mend


async def test_a_cap_on_logprobs_below_the_setting_names_both_ways_out() -> None:
    found = await examined(FakeVLLM(cap=50), wanted=51)
    assert unwell(found) == ["logprobs"]
    assert "at most 50" in found["logprobs"].seen
    assert "--max-logprobs 51" in found["logprobs"].mend
    assert "COSTEER_TOP_LOGPROBS=50" in found["logprobs"].mend


async def test_a_remote_that_silently_gives_fewer_logprobs_is_found_out() -> None:
    found = await examined(FakeVLLM(gives=5))
    assert unwell(found) == ["logprobs"]
    assert "COSTEER_TOP_LOGPROBS=5" in found["logprobs"].mend


async def test_another_tokenizer_fails_and_names_the_setting() -> None:
    found = await examined(FakeVLLM(shift=1))
    assert unwell(found) == ["tokenizer"]
    assert "COSTEER_LOCAL_MODEL" in found["tokenizer"].mend
    assert found["chat template"].state is State.SKIPPED


async def test_another_chat_template_is_told_and_no_failure() -> None:
    found = await examined(FakeVLLM(template="!"))
    assert unwell(found) == []
    assert "rendered by the remote" in found["chat template"].seen


async def test_without_the_local_model_its_tokenizer_is_not_looked_at() -> None:
    found = await examined(FakeVLLM(), folder=None)
    assert found["tokenizer"].state is State.SKIPPED
    assert found["tokenizer"].mend == "costeer models pull small-model"


@pytest.mark.parametrize(
    ("told_by", "cached", "state", "seen"),
    [
        ("usage", 384, "ok", "384 of 400"),
        ("usage", 0, "warning", "none was cached"),
        ("metrics", 0, "warning", "none was cached"),
        ("metrics", 5000, "ok", "others"),
        ("nothing", 384, "skipped", "Not told"),
    ],
)
async def test_the_prefix_cache_is_seen_at_work_or_not(
    told_by: str, cached: int, state: str, seen: str
) -> None:
    found = (await examined(FakeVLLM(told_by=told_by, cached=cached)))["prefix cache"]
    assert found.state == state
    assert seen in found.seen
    assert bool(found.mend) == (state != "ok")


@pytest.mark.parametrize(("header", "state"), [("X-Session-Id", "ok"), ("", "warning")])
async def test_behind_a_router_the_prefix_cache_of_one_replica_is_asked(header: str, state: str) -> None:
    fake = FakeVLLM(told_by="usage", routed_by="X-Session-Id", readers={"another"})
    found = await examined(fake, session_header=header)
    assert found["prefix cache"].state == state


async def test_an_embedded_remote_is_said_for_each_and_skipped() -> None:
    found = await findings(embedded.checks(remote.NAMES))
    assert {(one.state, one.seen) for one in found.values()} == {(State.SKIPPED, "The remote is embedded")}


async def test_a_password_in_a_url_is_shown_nowhere() -> None:
    url, secret = "http://lotte:pa55word@vllm.test:8001/v1", "pa55word"
    proxy = Proxy(f"http://lotte:{secret}@proxy.test:3128", "HTTPS_PROXY")
    for fake in (FakeVLLM(), FakeVLLM(down=True), FakeVLLM(version="0.7.0"), FakeVLLM(key="sk-right")):
        for through in (None, proxy):
            async with aclosing(fake.remote()) as vllm:
                checks = remote.checks(vllm, url=url, has_key=False, top_logprobs=20, proxy=through)
                found = await findings(checks)
            said = "".join(finding.seen + finding.mend for finding in found.values())
            assert secret not in said and "http://vllm.test:8001/v1" in said


async def test_the_proxy_on_the_way_is_named_without_its_user() -> None:
    proxy = Proxy("http://lotte:pa55word@proxy.test:3128", "HTTPS_PROXY")
    async with aclosing(FakeVLLM().remote()) as vllm:
        (check, *_) = remote.checks(vllm, url=BASE, has_key=False, top_logprobs=20, proxy=proxy)
        (finding,) = (await findings([check])).values()
        (check, *_) = remote.checks(vllm, url=BASE, has_key=False, top_logprobs=20, unused=True)
        (unused,) = (await findings([check])).values()
    assert finding.seen.endswith(", through the proxy http://proxy.test:3128 (HTTPS_PROXY)")
    assert unused.state is State.WARNING and "COSTEER_REMOTE_PROXY is not used" in unused.seen


async def test_a_way_that_cannot_be_taken_is_one_failure_and_the_rest_is_skipped() -> None:
    found = await findings(remote.refused(CoSteerError("HTTPS_PROXY is wrong. Unset it."), remote.NAMES))
    assert unwell(found) == ["remote"]
    assert (found["remote"].seen, found["remote"].mend) == ("HTTPS_PROXY is wrong.", "Unset it.")
    assert {found[name].state for name in remote.NAMES[1:]} == {State.SKIPPED}
