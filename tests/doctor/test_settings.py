"""Settings that are wrong fail, those that nothing reads are a warning, and each is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.doctor import settings
from doctor.verdicts import findings


@pytest.mark.parametrize(
    ("mistakes", "unknown", "state"),
    [((), (), "ok"), ((), ("B",), "warning"), (("A",), (), "failed"), (("A",), ("B",), "failed")],
)
async def test_what_is_wrong_is_named(
    tmp_path: Path, mistakes: tuple[str, ...], unknown: tuple[str, ...], state: str
) -> None:
    checks = settings.checks(mistakes, unknown, "Correct these.", tmp_path / ".env", None)
    (finding,) = (await findings(checks)).values()
    assert finding.state == state
    assert all(sentence in finding.seen for sentence in mistakes + unknown)
    assert bool(finding.mend) == (state != "ok")


async def test_it_says_which_files_there_are(tmp_path: Path) -> None:
    env_file, config = tmp_path / ".env", tmp_path / "config.toml"
    (finding,) = (await findings(settings.checks((), (), "", env_file, config))).values()
    assert "no .env here" in finding.seen
    assert "there is no config.toml" in finding.seen
    env_file.write_text("")
    config.write_text("")
    (finding,) = (await findings(settings.checks((), (), "", env_file, config))).values()
    assert str(env_file) in finding.seen
    assert str(config) in finding.seen


async def test_a_secret_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    (finding,) = (await findings(settings.checks((), (), "", tmp_path, config, exposed=True))).values()
    assert (finding.state, finding.mend) == ("warning", f"chmod 600 {config}")
