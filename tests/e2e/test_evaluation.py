"""The evaluation on the real small model, in both roles: what must come out the same by two ways."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from app.cli import app
from app.embedded import EmbeddedRemote
from app.engine.runner import ModelRunner
from app.evaluation.cases import Case, read_cases
from app.evaluation.forced import SHOWN, TEMPERATURES, Forcing
from app.evaluation.rules import constant, local_alone, paper_loop, remote_alone
from app.local import LocalModel
from app.matching import Matching
from app.steering import strength

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
        forcing = Forcing(remote, LocalModel(runner), Matching(remote, runner.tokenizer))
        rules = [remote_alone(), local_alone(), constant(1.0), constant(strength()), paper_loop()]
        forced = await forcing.forced(case, rules)
    finally:
        runner.close()
    nll = {name: np.array(each) for name, each in forced.nll.items()}
    # With one model in both roles, strength 1 is what the model says when it is shown the profile.
    np.testing.assert_allclose(nll["strength 1"], nll[SHOWN], atol=1e-4)
    np.testing.assert_allclose(nll["local with context"], nll[SHOWN], atol=1e-4)
    np.testing.assert_allclose(nll["paper's loop"], nll[f"strength {strength():g}"], atol=1e-6)
    assert nll[SHOWN].min() < nll["remote alone"].min()
    # And the remote's own figure is transformers' loss.
    ids = runner.tokenizer.encode(TEXT)
    prompt = runner.tokenizer.chat(case.messages)
    model = AutoModelForCausalLM.from_pretrained(bundle_path, dtype=torch.float32)
    with torch.inference_mode():
        labels = torch.tensor([[-100] * len(prompt) + ids])
        loss = float(model(input_ids=torch.tensor([[*prompt, *ids]]), labels=labels).loss)
    assert forced.tokens == len(ids)
    assert nll["remote alone"][TEMPERATURES.index(1.0)] == pytest.approx(loss, abs=1e-3)


def test_the_command_goes_on_where_it_was_broken_off(
    bundle_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COSTEER_DTYPE", "float32")
    people = tmp_path / "people.jsonl"
    options = ["--model", bundle_path, "--local-model", bundle_path, "--tokens", "8", "--strength", "0.5"]

    def evaluated(*more: str) -> str:
        result = CliRunner().invoke(app, ["eval", str(people), *options, *more])
        assert result.exit_code == 0, result.output
        return result.stdout

    people.write_text(line("1") + line("2"))
    assert "2 texts of 16 tokens" in " ".join(evaluated().split())
    first = (tmp_path / "evaluation.jsonl").read_bytes()
    people.write_text(line("1") + line("2") + line("3"))
    found = json.loads(evaluated("--json"))
    assert (found["cases"], found["tokens"]) == (3, 24)
    assert (tmp_path / "evaluation.jsonl").read_bytes().startswith(first)
    kept = (tmp_path / "evaluation.jsonl").read_text()
    assert not any(word in kept for word in ("Edith", "boat", "Lighthouse", "excursion"))
    people.write_text(line("1"))
    result = CliRunner().invoke(app, ["eval", str(people), *options])
    assert result.exit_code == 1
    assert "two lines" in result.output
