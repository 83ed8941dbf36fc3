"""`costeer bench`: the whole command over fake models, and what it says of mistakes."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeLocal, FakeRemote, FakeTokenizer

import app.assembly
from app.assembly import Models
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.errors import RemoteError, RemoteUnavailable
from app.local import weights
from app.profiles.profile_file import read_profile_file
from app.remote.interface import RemoteModel
from app.settings.settings import Settings
from cli.running import done, misused, open_store, refused, run, written

LOUD = 'id = "loud"\nname = "Lotte"\n[fields]\nwriting_style = "LOUD"\n[[history]]\ntext = "Foghorn."\n'
URL = "http://127.0.0.1:9/v1"


class Opened:
    """The fakes, and what they were opened with."""

    def __init__(self) -> None:
        self.remote = FakeRemote()
        self.remote.text = "hello world, this is long"
        self.settings: list[Settings] = []
        self.far: list[Any] = []
        self.closed = 0

    @asynccontextmanager
    async def open(
        self,
        settings: Settings,
        _progress: object,
        *,
        far: object,
        replay: Callable[[RemoteModel], RemoteModel] | None,
    ) -> AsyncIterator[Models]:
        self.settings.append(settings)
        self.far.append(far)
        try:
            remote = self.remote if replay is None else replay(self.remote)
            matcher = VocabularyMatcher(remote, FakeTokenizer())
            yield Models(remote, FakeLocal(), NotImplemented, matcher, DecodingConfig(draft_length=6))
        finally:
            self.closed += 1


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    fakes = Opened()
    monkeypatch.setattr(weights, "resolve", lambda name, **_: name)
    monkeypatch.setattr(app.assembly, "open_models", fakes.open)
    return fakes


def bench(*arguments: str) -> Any:
    """The JSON of a short bench that succeeds, with a strength at which the fakes disagree."""
    return bench_as_it_is("--strength", "0.5", *arguments)


def bench_as_it_is(*arguments: str) -> Any:
    given = ("--profile", written("loud.toml", LOUD), "--prompts", written("two.txt", "One\nTwo\n"))
    return json.loads(done("bench", *given, "--tokens", "12", "--json", *arguments))


def test_json_has_the_arguments_the_summary_and_every_run() -> None:
    found = bench("--repeats", "2", "--concurrency", "2")
    assert found["arguments"]["profiles"] == ["loud"]
    assert (found["arguments"]["tokens"], found["arguments"]["model"]) == (12, "fake-model")
    plain, draft, single = found["summary"]["modes"]
    assert [mode["replies"] for mode in (plain, draft, single)] == [4, 4, 4]
    assert draft["acceptance"]["median"] < 1
    assert single["requests_per_token"]["median"] == 1.0
    assert plain["acceptance"] is None
    assert [(ratio["mode"], ratio["over"]) for ratio in found["summary"]["ratios"]] == [
        ("draft and verify", "plain stream"),
        ("draft and verify", "one request per token"),
    ]
    assert [one["replies"] for one in found["summary"]["together"]] == [2, 2]
    assert found["summary"]["complete"]
    assert len(found["runs"]) == 3 * 2 * 2 + 2 * 2
    assert found["summary"]["peak_memory_bytes"] > 0


def test_people_get_tables_on_the_standard_output() -> None:
    text = done("bench", "--tokens", "12", "--repeats", "1")
    for part in (
        "plain stream",
        "draft and verify",
        "one request per token",
        "tokens/s after it",
        "tokens/s: draft and verify / plain stream",
        "Peak memory of this process",
    ):
        assert part in text


def test_by_default_the_samples_answer_ten_prompts_in_turns() -> None:
    found = json.loads(done("bench", "--tokens", "8", "--json"))
    assert found["arguments"]["profiles"] == ["ingrid", "isabel", "walter"]
    plain = [run for run in found["runs"] if run["mode"] == "plain stream"]
    assert [run["case"] for run in plain] == list(range(10))
    assert [run["profile"] for run in plain[:4]] == ["ingrid", "isabel", "walter", "ingrid"]


def test_each_knob_adds_a_mode_that_is_compared() -> None:
    found = bench("--confidence-gate", "0.5", "--margin", "2.5")
    names = [mode["mode"] for mode in found["summary"]["modes"]]
    assert names[3:] == ["confidence gate 0.5", "margin 2.5"]
    gate, margin = found["summary"]["knobs"]
    # At 0.6 the remote is confident everywhere here: nothing is in capitals any more.
    assert gate["tokens_changed"]["median"] > 0.5
    assert margin["mode"] == "margin 2.5"
    assert bench("--temperature", "1", "--margin", "2.5")["summary"]["knobs"][0]["tokens_changed"] is None


def test_levels_are_those_of_replies_and_no_budget_ends_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def acceptance(found: Any) -> float:
        median: float = found["summary"]["modes"][1]["acceptance"]["median"]
        return median

    free = acceptance(bench("--strength", "4"))
    assert free < 1
    monkeypatch.setenv("COSTEER_DISCLOSURE_BUDGET", "0")
    assert acceptance(bench("--strength", "4", "--repeats", "2")) == free
    monkeypatch.setenv("COSTEER_DISCLOSURE", "off")
    assert "not steered: nothing to steer by" in refused(
        "bench", "--profile", "loud.toml", "--prompts", "two.txt", "--tokens", "12"
    )


@pytest.mark.parametrize("where", ["file", "store"])
def test_a_profile_has_its_own_levels(where: str) -> None:
    private = LOUD.replace("[fields]", '[disclosure]\nleast = "off"\n[fields]')
    given = ["--profile", written("private.toml", private)]
    if where == "store":
        done("profiles", "import", given[1])
        given = ["--profile-id", "loud"]
    assert "nothing to steer by" in refused("bench", *given, "--tokens", "12")


def test_a_far_remote_is_imitated_only_when_asked_for(opened: Opened) -> None:
    bench("--remote", URL, "--model", "big")
    assert opened.far == [None]
    assert (opened.settings[0].remote_base_url, opened.settings[0].remote_model) == (URL, "big")
    found = bench("--remote", URL, "--rtt-ms", "160", "--pace-ms", "100")
    assert opened.far[1] is not None
    assert found["summary"]["bound"]["pace_ms"] > 0
    assert "The bound is the fastest schedule for the same tokens and rejections" in done(
        *("bench", "--remote", URL, "--pace-ms", "100", "--tokens", "12"),
        *("--strength", "0.5", "--profile", "loud.toml"),
    )


REPLAY = ("--remote", URL, "--replay", "remote.jsonl", "--rtt-ms", "2", "--pace-ms", "1")


def test_a_recorded_remote_need_not_be_there_again(opened: Opened) -> None:
    first = bench(*REPLAY)
    assert (first["arguments"]["replay"], opened.far) == ("remote.jsonl", [None])
    assert Path("remote.jsonl").stat().st_mode & 0o777 == 0o600
    opened.remote.unreachable = opened.remote.failure = RemoteUnavailable("Start it.")
    found = bench(*REPLAY)
    assert found["summary"]["repeated"] == 0
    assert found["summary"]["complete"]
    assert (found["arguments"]["model"], len(found["runs"])) == ("fake-model", len(first["runs"]))
    assert [run["tokens"] for run in found["runs"]] == [run["tokens"] for run in first["runs"]]
    assert "does not hold all that is asked for here" in refused("bench", *REPLAY, "--tokens", "12")


def test_a_recording_has_nothing_of_the_profile_s_own_text() -> None:
    bench(*REPLAY)
    recorded = Path("remote.jsonl").read_text(encoding="utf-8")
    assert "One" in recorded
    for private in ("Lotte", "Foghorn", "LOUD"):
        assert private not in recorded


def test_the_embedded_model_can_be_recorded_too(opened: Opened) -> None:
    given = ("--replay", "embedded.jsonl", "--pace-ms", "1")
    bench(*given, "--model", "fake-model")
    drafted = len(opened.remote.handed)
    assert bench(*given, "--model", "fake-model")["arguments"]["model"] == "fake-model"
    assert len(opened.remote.handed) == drafted
    assert "of the model 'fake-model'" in refused("bench", *given, "--model", "other")


def test_ctrl_c_keeps_what_was_recorded(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    draft, left = opened.remote.draft, 4

    def interrupted(*given: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            signal.raise_signal(signal.SIGINT)
        return draft(*given, **more)

    opened.remote.text = "hello world, " * 9
    monkeypatch.setattr(opened.remote, "draft", interrupted)
    assert run("bench", *REPLAY, "--strength", "0.5").exit_code == 130
    lines = Path("remote.jsonl").read_bytes().splitlines()
    assert sum(b'"drafted"' in line for line in lines) >= 3


def test_options_go_before_the_settings(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_LOCAL_MODEL", "one")
    monkeypatch.setenv("COSTEER_STRENGTH", "2")
    found = bench_as_it_is()
    assert (found["arguments"]["local_model"], found["arguments"]["strength"]) == ("one", [2.0])
    found = bench("--local-model", "two", "--strength", "0.25", "--model", "three")
    assert (found["arguments"]["local_model"], found["arguments"]["strength"]) == ("two", [0.25])
    assert opened.settings[-1].embedded_model == "three"


def test_a_strength_of_auto_is_measured_and_told() -> None:
    found = bench_as_it_is()
    assert found["arguments"]["strength"] == ["auto"]
    assert bench("--strength", "auto")["arguments"] == found["arguments"]


def test_a_stored_profile_is_only_read() -> None:
    done("profiles", "import", written("loud.toml", LOUD))
    done("profiles", "set", "loud", "--strength", "1.5")
    with open_store() as store:
        before = store.profiles.read("loud")
    found = json.loads(done("bench", "--profile-id", "loud", "--tokens", "8", "--json"))
    assert (found["arguments"]["profiles"], found["arguments"]["strength"]) == (["loud"], [1.5])
    with open_store() as store:
        assert store.profiles.read("loud") == before


def test_without_a_stored_profile_the_database_is_not_opened() -> None:
    bench()
    assert not Path(os.environ["COSTEER_DATA_DIR"]).exists()


def test_nothing_private_is_in_what_it_prints() -> None:
    private = read_profile_file(Path(written("loud.toml", LOUD)))
    assert private.profile.name == tomllib.loads(LOUD)["name"] == "Lotte"
    for text in (json.dumps(bench()), done("bench", "--profile", "loud.toml", "--tokens", "8")):
        assert "Lotte" not in text
        assert "Foghorn" not in text


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_shows_what_was_measured_and_frees_everything(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    left = 16
    tokenize = opened.remote.tokenize

    async def interrupted(*given: Any, **more: Any) -> list[int]:
        nonlocal left
        left -= 1
        if not left:
            signal.raise_signal(signal.SIGINT)
        return await tokenize(*given, **more)

    monkeypatch.setattr(opened.remote, "tokenize", interrupted)
    result = run("bench", "--tokens", "8", *(["--json"] if as_json else []))
    assert result.exit_code == 130
    assert (opened.closed, opened.remote.drafts_open) == (1, 0)
    if as_json:
        found = json.loads(result.stdout)
        assert (found["summary"]["complete"], len(found["runs"])) == (False, 6)
    else:
        assert "plain stream" in result.stdout
        assert "broken off" in result.stderr


def test_ctrl_c_before_anything_was_measured_prints_nothing(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: Any, **__: Any) -> list[int]:
        signal.raise_signal(signal.SIGINT)
        return []

    monkeypatch.setattr(opened.remote, "tokenize", interrupted)
    result = run("bench")
    assert (result.exit_code, result.stdout, opened.closed) == (130, "", 1)


def test_a_remote_that_fails_on_the_way_is_named_after_what_was_measured(opened: Opened) -> None:
    opened.remote.failure, opened.remote.failing_after = RemoteError("The remote broke."), 10
    result = run("bench", "--tokens", "12")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: The remote broke." in result.stderr


def test_an_unreachable_remote_is_named_with_advice(opened: Opened) -> None:
    opened.remote.unreachable = RemoteUnavailable("Start it, or correct COSTEER_REMOTE_BASE_URL.")
    assert "COSTEER_REMOTE_BASE_URL" in refused("bench", "--remote", URL)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompts", "none.txt"], "none.txt: cannot be read"),
        (["--prompts", "empty.txt"], "Write one on each line"),
        (["--profile", "none.toml"], "none.toml: cannot be read"),
        (["--profile-id", "nobody"], "There is no profile 'nobody'"),
        (["--rtt-ms", "160"], "the embedded model sends none. Name a vLLM with --remote URL"),
        (["--strength", "0"], "Give --strength"),
        (["--remote", "host:8001"], "like http://host:8001/v1"),
        (["--replay", "new.jsonl"], "give --pace-ms"),
        (["--replay", "new.jsonl", "--pace-ms", "25", "--temperature", "1"], "Leave out --temperature"),
        (["--replay", "empty.txt/new.jsonl", "--pace-ms", "25"], "new.jsonl: cannot be read"),
        (["--replay", "prompts.txt", "--pace-ms", "25"], "line 1: is not of a recording"),
    ],
)
def test_a_mistake_is_said_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    written("empty.txt", "\n")
    written("prompts.txt", "Write.\n")
    monkeypatch.setattr(weights, "resolve", lambda *_, **__: pytest.fail("weights before the mistake"))
    assert said in refused("bench", *arguments)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--tokens", "7"),
        ("--repeats", "0"),
        ("--concurrency", "0"),
        ("--strength", "5"),
        ("--strength", "nan"),
        ("--strength", "strong"),
        ("--temperature", "-1"),
        ("--confidence-gate", "0"),
        ("--confidence-gate", "nan"),
        ("--margin", "-0.1"),
        ("--margin", "11"),
        ("--margin", "nan"),
        ("--rtt-ms", "-1"),
        ("--pace-ms", "nan"),
        ("--pace-ms", "inf"),
    ],
)
def test_a_number_that_cannot_be_is_a_mistake_of_usage(option: str, value: str) -> None:
    assert option in misused("bench", option, value)


def test_a_file_and_a_stored_profile_exclude_each_other() -> None:
    assert "exclude each other" in misused("bench", "--profile", "a.toml", "--profile-id", "a")
