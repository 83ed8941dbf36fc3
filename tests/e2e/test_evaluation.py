"""The evaluation on the real small model, in both roles: what must come out the same by two ways."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from app.cli import app
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.evaluation.quality.cases import Case, read_cases
from app.evaluation.quality.forced import TEMPERATURES, Forcing
from app.evaluation.quality.rules import (
    PAPER_LOOP,
    PAPER_STRENGTH,
    REMOTE_ALONE,
    SHOWN,
    among,
    auto,
    constant,
    local_alone,
    paper_loop,
    remote_alone,
    smoothed,
)
from app.evaluation.quality.systems import systems
from app.evaluation.quality.writing import Writing
from app.local.engine.runner import ModelRunner
from app.local.model import LocalModel
from app.remote.embedded import EmbeddedRemote
from app.steering.formula import strength

TEXT = "Dear all, the boat leaves at seven. Bring a coat, and bread; I shall bring the cheese."


def line(name: str) -> str:
    fields = {
        "id": name,
        "query": "Write a short invitation to an outing.",
        "profile": {"name": "Edith", "occupation": "Lighthouse keeper", "style": "Short, dry sentences"},
        "history": [{"title": "A note", "text": "The excursion leaves at 7:40 and waits for nobody."}],
        "reference": TEXT,
    }
    return json.dumps(fields) + "\n"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    (tmp_path / "one.jsonl").write_text(line("1"))
    return read_cases(tmp_path / "one.jsonl")[0]


async def test_what_two_ways_must_give_alike(bundle_path: str, case: Case) -> None:
    runner = ModelRunner(bundle_path, dtype="float32", max_model_len=2048)
    try:
        remote = EmbeddedRemote(runner)
        forcing = Forcing(remote, LocalModel(runner), VocabularyMatcher(remote, runner.tokenizer))
        rules = [remote_alone(), local_alone(), constant(1.0), constant(strength()), paper_loop()]
        rules += [among(remote_alone(), 20), among(constant(0.5), 1), among(constant(0.5), 20)]
        most = len(runner.tokenizer) - 1
        rules += [constant(0.5), smoothed(1.0, 0.3), among(constant(0.5), most), auto(most), auto(20)]
        forced = await forcing.forced(case, rules)
    finally:
        runner.close()
    nll = {name: np.array(each) for name, each in forced.nll.items()}
    # With one model in both roles, strength 1 is what the model says when it is shown the profile.
    np.testing.assert_allclose(nll["strength 1"], nll[SHOWN], atol=1e-4)
    np.testing.assert_allclose(nll["local with context"], nll[SHOWN], atol=1e-4)
    np.testing.assert_allclose(nll["paper's loop"], nll[f"strength {strength():g}"], atol=1e-6)
    assert nll[SHOWN].min() < nll["remote alone"].min()
    # A list changes nothing by itself, nor does choosing among one; among nearly all it is the whole.
    np.testing.assert_allclose(nll["remote alone, top 20"], nll["remote alone"], atol=1e-6)
    np.testing.assert_allclose(nll["strength 0.5, top 1"], nll["remote alone"], atol=1e-6)
    np.testing.assert_allclose(nll[f"strength 0.5, top {most}"], nll["strength 0.5"], atol=1e-2)
    np.testing.assert_allclose(nll[f"auto, top {most}"], nll["strength 1, smoothed 0.3"], atol=1e-2)
    assert nll["auto, top 20"].min() < nll["remote alone"].min()
    # And the remote's own figure is transformers' loss.
    ids = runner.tokenizer.encode(TEXT)
    prompt = runner.tokenizer.chat(case.messages)
    model = AutoModelForCausalLM.from_pretrained(bundle_path, dtype=torch.float32)
    with torch.inference_mode():
        labels = torch.tensor([[-100] * len(prompt) + ids])
        loss = float(model(input_ids=torch.tensor([[*prompt, *ids]]), labels=labels).loss)
    assert forced.tokens == len(ids)
    assert nll["remote alone"][TEMPERATURES.index(1.0)] == pytest.approx(loss, abs=1e-3)


async def test_replies_are_what_each_way_of_writing_must_give(bundle_path: str, case: Case) -> None:
    runner = ModelRunner(bundle_path, dtype="float32", max_model_len=2048)
    try:
        remote = EmbeddedRemote(runner)
        matcher, config = (
            VocabularyMatcher(remote, runner.tokenizer),
            DecodingConfig(top_logprobs=len(runner.tokenizer) - 1),
        )
        writing = Writing(remote, LocalModel(runner), remote, matcher, config, tokens=12)
        written = {
            system.name: (await writing.written([case], system))[0] for system in systems([1.0], loop=True)
        }
        forcing = Forcing(remote, LocalModel(runner), matcher)
        own = written[REMOTE_ALONE]
        forced = await forcing.forced(replace(case, reference=own.text), [remote_alone()])
    finally:
        runner.close()
    # With one model in both roles, strength 1 is what the model says when it is shown the profile.
    assert written["strength 1"].text == written[SHOWN].text == written["local with context"].text != own.text
    # The product's closed form, where the remote lists nearly all, and the paper's iteration over all.
    assert written[PAPER_STRENGTH].text == written[PAPER_LOOP].text
    assert all(one.tokens == 12 and one.seconds > 0 for one in written.values())
    # And how likely a reply is found is what reading it by force gives.
    assert own.alone == pytest.approx(forced.nll[REMOTE_ALONE][TEMPERATURES.index(1.0)], abs=1e-4)
    assert own.shown == pytest.approx(forced.nll[SHOWN][TEMPERATURES.index(1.0)], abs=1e-4)
    assert (own.alone or math.inf) < (written[SHOWN].alone or 0.0)


def test_the_command_goes_on_where_it_was_broken_off(
    bundle_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COSTEER_DTYPE", "float32")
    people, folder = tmp_path / "people.jsonl", tmp_path / "evaluation"
    options = ["--model", bundle_path, "--local-model", bundle_path, "--tokens", "8", "--strength", "0.5"]

    def evaluated(*more: str) -> str:
        result = CliRunner().invoke(app, ["eval", str(people), *options, "--reply-tokens", "4", *more])
        assert result.exit_code == 0, result.output
        return result.stdout

    people.write_text(line("1") + line("2"))
    said = " ".join(evaluated().split())
    assert "2 texts of 16 tokens" in said
    assert "2 of each system" in said
    first = {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}
    assert first.keys() == {"read.jsonl", "written.jsonl"}
    people.write_text(line("1") + line("2") + line("3"))
    found = json.loads(evaluated("--json"))
    assert (found["texts"], found["tokens"]) == (3, 24)
    assert {one["replies"] for one in found["systems"]} == {3}
    for name, before in first.items():
        assert (folder / name).read_bytes().startswith(before)
    assert not any(word in (folder / "read.jsonl").read_text() for word in ("Edith", "boat", "excursion"))
    assert (folder / "report.md").exists()
    assert folder.stat().st_mode & 0o077 == 0  # replies tell of those they are written for
    people.write_text(line("1"))
    result = CliRunner().invoke(app, ["eval", str(people), *options])
    assert result.exit_code == 1
    assert "two cases" in result.output


def test_questions_are_put_with_each_preference(
    bundle_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("questions.jsonl").write_text('{"id": 5, "query": "What is a good breakfast?"}\n')
    options = ["--model", bundle_path, "--local-model", bundle_path, "--reply-tokens", "4"]
    options += ["--preference", "concise", "--preference", "verbose", "--out", "found", "--json"]
    result = CliRunner().invoke(app, ["eval", "questions.jsonl", *options])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["rules"] == []
    assert [one["replies"] for one in found["systems"]] == [2] * len(found["systems"])
    assert "## 5 concise" in Path("found/replies.md").read_text()
