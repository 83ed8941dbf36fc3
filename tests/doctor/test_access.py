"""Whoever can reach the port can use it: this machine alone, others with a key, or others without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.doctor import access
from app.doctor.check import Check, Verdict, ok
from app.profiles.store import Store
from doctor.verdicts import findings

EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize(
    ("host", "key", "trusted", "state"),
    [
        ("127.0.0.1", False, False, "ok"),
        ("127.0.0.1", True, False, "ok"),
        (EVERYWHERE, False, False, "failed"),
        (EVERYWHERE, False, True, "warning"),
        (EVERYWHERE, True, False, "ok"),
    ],
)
async def test_beyond_this_machine_there_has_to_be_a_key(
    tmp_path: Path, host: str, key: bool, trusted: bool, state: str
) -> None:
    async def fine() -> Verdict:
        return ok("")

    with Store.open(tmp_path / "data") as store:
        if key:
            store.keys.create("mine", None)
        for serving in (False, True):
            checks = access.checks(host, store.keys.required, trust_network=trusted, serving=serving)
            found = (await findings([Check("database", fine), *checks]))["access"]
            assert found.state == state
            assert ("costeer keys create --admin" in found.mend) == (state != "ok")
            assert ("answered" in found.seen) == (serving and state == "failed")
