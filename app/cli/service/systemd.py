"""The user unit of systemd, on Linux."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from app.cli.service.manager import Service

UNIT = "costeer.service"
SYSTEMCTL = ("systemctl", "--user")

# Its own folder is /, so that no .env counts. It is stopped by SIGTERM, which ends `serve` with 143. After a
# failure it is started again, five times in ten minutes at most, and not at all where settings are wrong (78)
# or the command line is (2). MemoryDenyWriteExecute is not set, since torch and onnxruntime write code.
# Namespaces of files (ProtectSystem and the like) are not always to be had for a user's units.
TEMPLATE = """\
# Written by `costeer service install`. To change it: systemctl --user edit {unit}
[Unit]
Description=CoSteer, a proxy that personalises a remote model's replies
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
ExecStart={started} serve
WorkingDirectory=/
{environment}Restart=on-failure
RestartSec=10
RestartPreventExitStatus=2 {misconfigured}
SuccessExitStatus=143
TimeoutStopSec=30
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def service(command: Path, config: str, folder: Path, misconfigured: int) -> Service:
    """The unit that runs `command serve`. `config` is COSTEER_CONFIG, if that is set; `folder` is where the
    person's units are, and `misconfigured` the exit status after which starting again does not help."""
    environment = f"Environment={_quoted(f'COSTEER_CONFIG={config}')}\n" if config else ""
    return Service(
        manager="systemd",
        file=folder / UNIT,
        text=TEMPLATE.format(
            unit=UNIT, started=_started(str(command)), environment=environment, misconfigured=misconfigured
        ),
        install=((*SYSTEMCTL, "daemon-reload"), (*SYSTEMCTL, "enable", UNIT), (*SYSTEMCTL, "restart", UNIT)),
        remove=((*SYSTEMCTL, "disable", "--now", UNIT),),
        forgotten=((*SYSTEMCTL, "daemon-reload"),),
        active=(*SYSTEMCTL, "is-active", "--quiet", UNIT),
        restart=shlex.join((*SYSTEMCTL, "restart", UNIT)),
        logs="journalctl --user -u costeer",
        note="It runs while you are logged in; `loginctl enable-linger` has it run from the machine's start.",
    )


def _started(command: str) -> str:
    """The program, as ExecStart takes it. systemd refuses quotes and backslashes in a program's name, so one
    that has any is an argument of env, where $ begins a variable."""
    if re.search(r"""["'\\]""", command):
        return f"/usr/bin/env {_quoted(command).replace('$', '$$')}"
    return _quoted(command)


def _quoted(text: str) -> str:
    """The text as one word of a unit, for systemd.syntax(7); %, which begins a specifier, is doubled."""
    escaped = re.sub(r'(["\\])', r"\\\1", text).replace("%", "%%")
    return f'"{escaped}"'
