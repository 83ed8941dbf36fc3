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
from app.evaluation.quality.forced import Forcing
from app.evaluation.quality.forms import named
from app.evaluation.quality.likelihood import TEMPERATURES
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
    smoothed,
)
from app.evaluation.quality.strengths import Tried
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
        rules = [constant(0.0), local_alone(), constant(1.0), constant(strength()), paper_loop()]
        rules += [among(constant(0.0), 20), among(constant(0.5), 1), among(constant(0.5), 20)]
        most = len(runner.tokenizer) - 1
        rules += [constant(0.5), smoothed(1.0, 0.3), among(constant(0.5), most), auto(most), auto(20)]
        forced, headed = await forcing.forced(case, {"letter": rules, "headings": [constant(1.0)]})
    finally:
        runner.close()
    nll = {name: np.array(each) for name, each in forced.nll.items()}
    np.testing.assert_allclose(nll["strength 0"], nll[REMOTE_ALONE], atol=1e-6)
    # With one model in both roles, strength 1 is what the model says when it is shown the profile.
    np.testing.assert_allclose(nll["strength 1"], nll[SHOWN], atol=1e-4)
    np.testing.assert_allclose(nll["local with context"], nll[SHOWN], atol=1e-4)
    np.testing.assert_allclose(nll["paper's loop"], nll[f"strength {strength():g}"], atol=1e-6)
    assert nll[SHOWN].min() < nll["remote alone"].min()
    # In another form it is what the model says when it is shown the profile in that.
    np.testing.assert_allclose(headed.nll["strength 1"], headed.nll[SHOWN], atol=1e-4)
    assert headed.nll[REMOTE_ALONE] == forced.nll[REMOTE_ALONE]
    assert headed.nll[SHOWN] != forced.nll[SHOWN]
    # A list changes nothing by itself, nor does choosing among one; among nearly all it is the whole.
    np.testing.assert_allclose(nll["strength 0, top 20"], nll["remote alone"], atol=1e-6)
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
        forms = ("letter", "headings")
        writing = Writing(remote, LocalModel(runner), remote, matcher, config, forms=forms, tokens=12)
        every = systems([Tried("strength", 1.0)], forms, loop=True)
        written = {system.name: (await writing.written([case], system))[0] for system in every}
        forcing = Forcing(remote, LocalModel(runner), matcher)
        own = written[REMOTE_ALONE]
        reference = replace(case, reference=own.text)
        forced = await forcing.forced(reference, {form: [] for form in forms})
    finally:
        runner.close()
    # With one model in both roles, strength 1 is what the model says when it is shown the profile.
    for form in forms:
        texts = {written[named(name, form)].text for name in ("strength 1", SHOWN, "local with context")}
        assert len(texts) == 1 and texts != {own.text}
        # The product's closed form, where the remote lists nearly all, and the paper's iteration over all.
        assert written[named(PAPER_STRENGTH, form)].text == written[named(PAPER_LOOP, form)].text
    assert all(one.tokens == 12 and one.seconds > 0 for one in written.values())
    # And how likely a reply is found is what reading it by force gives.
    at = TEMPERATURES.index(1.0)
    for one in forced:
        assert own.alone == pytest.approx(one.nll[REMOTE_ALONE][at], abs=1e-4)
        assert own.shown[one.form] == pytest.approx(one.nll[SHOWN][at], abs=1e-4)
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
    more = [
        "--form",
        "letter",
        "--form",
        "headings",
        "--strength",
        "auto:0.5",
        "--margin",
        "0.5",
        "--against",
        "auto [headings]",
    ]
    found = json.loads(evaluated("--json", *more))
    assert (found["texts"], found["tokens"]) == (3, 24)
    assert {one["replies"] for one in found["systems"]} == {3}
    assert {"auto", "auto [headings]", "auto:0.5", "auto, margin 0.5"} <= {
        one["system"] for one in found["systems"]
    }
    assert all(one["lifted"].keys() == {"letter", "headings"} for one in found["systems"])
    assert "margin" in {one["kind"] for one in found["frontier"]}
    assert "auto" in {one["name"] for one in found["differences"]}
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
    options += ["--preference", "concise", "--preference", "Be brief. | Be long.", "--out", "found", "--json"]
    result = CliRunner().invoke(app, ["eval", "questions.jsonl", *options])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["rules"] == []
    assert [one["replies"] for one in found["systems"]] == [2] * len(found["systems"])
    replies = Path("found/replies.md").read_text()
    assert "## 5 concise" in replies and "## 5 Be brief. | Be long." in replies
