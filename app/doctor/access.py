"""The check of access: whether other machines can reach the port, and whether they need a key."""

from __future__ import annotations

from collections.abc import Callable

from app.doctor.check import Check, Verdict, failed, ok, warning
from app.network.listener import on_this_machine
from app.threads import in_thread

STOPPED = "it will not start"
CLOSED = "nobody without a key is answered, and it will not start again"


def checks(
    host: str, guarded: Callable[[], bool], *, trust_network: bool, serving: bool = False
) -> list[Check]:
    """`guarded` says whether every request needs a key, and may block; `serving`: the server runs."""

    def access() -> Verdict:
        if guarded():
            return ok("Every request needs an API key")
        if on_this_machine(host):
            return ok(f"{host} is reached from this machine only; no key is needed")
        if trust_network:
            return warning(
                f"Whoever reaches {host} may use every profile (COSTEER_TRUST_NETWORK=true).",
                "costeer keys create --admin, unless only this machine reaches that port.",
            )
        outcome = CLOSED if serving else STOPPED
        return failed(
            f"{host} can be reached from other machines, and there is no admin key: {outcome}.",
            "costeer keys create --admin, or COSTEER_HOST=127.0.0.1",
        )

    return [Check("access", lambda: in_thread(access), needs=("database",))]
