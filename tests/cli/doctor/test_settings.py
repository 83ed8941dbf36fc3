"""Settings that are wrong fail, those that nothing reads are a warning, and each is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.doctor import settings
from cli.doctor.verdicts import findings


@pytest.mark.parametrize(
    ("mistakes", "unknown", "state"),
    [((), (), "ok"), ((), ("B",), "warning"), (("A",), (), "failed"), (("A",), ("B",), "failed")],
)
async def test_what_is_wrong_is_named(
    tmp_path: Path, mistakes: tuple[str, ...], unknown: tuple[str, ...], state: str
) -> None:
    checks = settings.checks(mistakes, unknown, "Correct these.", tmp_path / ".env")
    (finding,) = (await findings(checks)).values()
    assert finding.state == state
    assert all(sentence in finding.seen for sentence in mistakes + unknown)
    assert bool(finding.mend) == (state != "ok")


async def test_it_says_whether_there_is_an_env_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    (finding,) = (await findings(settings.checks((), (), "", path))).values()
    assert "no .env here" in finding.seen
    path.write_text("")
    (finding,) = (await findings(settings.checks((), (), "", path))).values()
    assert str(path) in finding.seen
