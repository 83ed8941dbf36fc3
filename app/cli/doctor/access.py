"""The check of access: whether other machines can reach the port, and whether they need a key."""

from __future__ import annotations

from pathlib import Path

from app.cli.doctor.check import Check, Verdict, failed, ok, warning
from app.cli.doctor.examination import in_thread
from app.network.listener import on_this_machine
from app.profiles.store.inspection import inspect


def checks(host: str, data_dir: Path, *, trust_network: bool) -> list[Check]:
    def access() -> Verdict:
        guarded = inspect(data_dir).guarded
        if guarded:
            return ok("Every request needs an API key")
        if on_this_machine(host):
            return ok(f"{host} is reached from this machine only; no key is needed")
        if trust_network:
            return warning(
                f"Whoever reaches {host} may use every profile (COSTEER_TRUST_NETWORK=true).",
                "costeer keys create --admin, unless only this machine reaches that port.",
            )
        return failed(
            f"{host} can be reached from other machines, and there is no admin key: it will not start.",
            "costeer keys create --admin, or COSTEER_HOST=127.0.0.1",
        )

    return [Check("access", lambda: in_thread(access), needs=("database",))]
