"""The command `costeer doctor`: runs the checks of this setup and prints the findings."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.environment import CORRECT, checked_settings
from app.cli.profiles import AsJson
from app.cli.progress import spinner_name
from app.cli.terminal import err, mistakes_named, write, write_aligned, write_json
from app.errors import CoSteerError
from app.settings.config_file import config_path, read_config_file
from app.settings.settings import SECRETS, unknown_names

if TYPE_CHECKING:
    from app.doctor.check import Check, Finding

EPILOG = (
    "Examples:\n\ncosteer doctor\n\nCOSTEER_REMOTE_BASE_URL=http://host:8001/v1 costeer doctor --json\n\n"
    "It changes nothing, downloads nothing, and sends the remote a few requests with fixed texts. The exit "
    "status is 1 if anything has failed."
)
STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
# Widths in columns of the state and the name; the rest of the line is what was found.
STATE, NAME = 7, 16


@mistakes_named()
def doctor(as_json: AsJson = False) -> None:
    """Check this machine, the settings, the weights, the database and the remote; say what mends each."""
    findings = asyncio.run(_examined(show=not as_json))
    well = not any(finding.state == "failed" for finding in findings)
    if as_json:
        write_json({"ok": well, "findings": [asdict(finding) for finding in findings]})
    else:
        count = Counter(str(finding.state) for finding in findings)
        write(f"\n{', '.join(f'{count[state]} {state}' for state in STYLES if count[state])}")
    sys.exit(0 if well else 1)


async def _examined(*, show: bool) -> list[Finding]:
    from app.doctor.examination import examine  # noqa: PLC0415  # what it imports takes a moment

    findings = []
    async with AsyncExitStack() as stack:
        checks = _checks(stack)
        spinner = stack.enter_context(err.status("", spinner=spinner_name(err))) if err.is_terminal else None

        def begins(name: str) -> None:
            if spinner is not None:
                spinner.update(f"Checking: {name}")

        async for finding in examine(checks, begins):
            findings.append(finding)
            if show:
                if spinner is not None:
                    spinner.stop()  # or its line would mix with this one
                _print(finding)
                if spinner is not None:
                    spinner.start()
    return findings


def _print(finding: Finding) -> None:
    """Prints a finding, and below it how to fix it."""
    cells = (finding.state, finding.name, finding.seen)
    write_aligned(cells, (STATE, NAME), (STYLES[finding.state], "", ""), finding.mend)


def _checks(stack: AsyncExitStack) -> list[Check]:
    """The checks to run; if the settings are invalid, only those that need no settings."""
    from app.doctor import machine, setup  # noqa: PLC0415
    from app.doctor import settings as written  # noqa: PLC0415

    try:
        settings, mistakes = checked_settings()
        exposed = read_config_file().exposed(SECRETS)
    except CoSteerError as error:  # a .env or a config.toml that cannot be read
        settings, mistakes, exposed = None, [error.message], False
    of_settings = written.checks(
        mistakes, unknown_names(), CORRECT, Path(".env"), config_path(), exposed=exposed
    )
    first = [*of_settings, machine.python()]
    return first if settings is None else [*first, *setup.before_a_start(settings, stack)]
