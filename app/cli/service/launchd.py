"""The agent of launchd, on macOS."""

from __future__ import annotations

import plistlib
import shlex
from pathlib import Path

from app.cli.service.manager import Service

LABEL = "costeer"
# Seconds between two starts: launchd knows no exit status after which it need not try again.
THROTTLE = 60


def service(command: Path, config: str, home: Path, user: int) -> Service:
    """The agent that runs `command serve`. `config` is COSTEER_CONFIG, if that is set; `user` is their id."""
    log = home / "Library" / "Logs" / "costeer.log"
    file = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    described: dict[str, object] = {
        "Label": LABEL,
        "ProgramArguments": [str(command), "serve"],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": THROTTLE,
        # Its own folder is /, so that no .env counts; and in the background the processor would be slowed.
        "WorkingDirectory": "/",
        "ProcessType": "Interactive",
        "Umask": 0o077,
        "StandardOutPath": str(log),
        "StandardErrorPath": str(log),
    }
    if config:
        described["EnvironmentVariables"] = {"COSTEER_CONFIG": config}
    domain = f"gui/{user}"
    return Service(
        manager="launchd",
        file=file,
        text=plistlib.dumps(described, sort_keys=False).decode(),
        install=(("launchctl", "bootstrap", domain, str(file)),),
        remove=(("launchctl", "bootout", f"{domain}/{LABEL}"),),
        forgotten=(),
        active=("launchctl", "print", f"{domain}/{LABEL}"),
        restart=shlex.join(("launchctl", "kickstart", "-k", f"{domain}/{LABEL}")),
        logs=f"tail -f {shlex.quote(str(log))}",
        note=f"Where it fails it is started again, once in {THROTTLE} s.",
    )
