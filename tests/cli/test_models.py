"""`costeer models`: bundles are listed, and fetched or refused by name."""

from __future__ import annotations

from typing import NoReturn

import pytest

from app.local import weights
from app.local.weights.recommended import RECOMMENDED, rows
from cli.running import done, run


def test_every_bundle_is_listed() -> None:
    text = done("models", "list")
    for name, bundle in weights.BUNDLES.items():
        line = next(line for line in text.splitlines() if name in line)
        assert line.split("\t")[:3] == [name, "no", f"{bundle.size / 1e6:,.0f} MB"]


def test_recommended_pairs_are_listed() -> None:
    lines = done("models", "list").splitlines()
    assert ["\t".join(row) for row in rows()] == lines[-len(RECOMMENDED) :]


@pytest.mark.parametrize("command", ["models pull smollm2-135m-instrukt", "serve --port 0"])
def test_an_unknown_model_is_refused_with_a_guess(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COSTEER_LOCAL_MODEL", "smollm2-135m-instrukt")
    result = run(*command.split())
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "'smollm2-135m-instrukt'" in result.stderr
    assert "Did you mean smollm2-135m-instruct?" in result.stderr


def test_ctrl_c_in_a_download_is_no_error_with_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "resolve", interrupted)
    for command in (["models", "pull"], ["serve", "--port", "0"]):
        result = run(*command)
        assert (result.exit_code, result.stderr) == (130, "")
        assert "Traceback" not in result.stdout
