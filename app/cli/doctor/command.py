"""The command `costeer doctor`: chooses the checks by the settings, runs them and prints the findings."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.environment import CORRECT, checked_settings
from app.cli.profiles import AsJson
from app.cli.progress import spinner_name
from app.cli.terminal import err, mistakes_named, write, write_aligned, write_json
from app.errors import CoSteerError, WeightsError
from app.settings.config_file import config_path, read_config_file
from app.settings.settings import EMBEDDED, SECRETS, Settings, unknown_names

if TYPE_CHECKING:
    from app.cli.doctor.check import Check, Finding
    from app.remote.vllm import VLLMRemote

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
    from app.cli.doctor.examination import examine  # noqa: PLC0415  # what it imports takes a moment

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
    from app.cli.doctor import machine  # noqa: PLC0415
    from app.cli.doctor import settings as written  # noqa: PLC0415

    try:
        settings, mistakes = checked_settings()
        exposed = read_config_file().exposed(SECRETS)
    except CoSteerError as error:  # a .env or a config.toml that cannot be read
        settings, mistakes, exposed = None, [error.message], False
    of_settings = written.checks(
        mistakes, unknown_names(), CORRECT, Path(".env"), config_path(), exposed=exposed
    )
    first = [*of_settings, machine.python()]
    return first if settings is None else [*first, *_of_settings(settings, stack)]


def _of_settings(settings: Settings, stack: AsyncExitStack) -> list[Check]:
    from app.cli.doctor import access, database, machine, port, weights  # noqa: PLC0415

    names = {"local weights": settings.local_model}
    remote: VLLMRemote | CoSteerError | None = None
    if settings.remote_base_url != EMBEDDED:
        remote = _opened(settings, stack)
    elif settings.embedded_model != settings.local_model:
        names["embedded weights"] = settings.embedded_model
    local = partial(_local_folder, settings)
    return [
        *weights.checks(
            names, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir, data_dir=settings.data_dir
        ),
        *machine.checks(
            device=settings.device,
            dtype=settings.dtype,
            config_folder=local,
            engine_cache=settings.cache_dir / "engine",
            leave_a_core=not isinstance(remote, CoSteerError | None) and remote.on_this_machine,
        ),
        *database.checks(settings.data_dir),
        *port.checks(settings.host, settings.port),
        *access.checks(settings.host, settings.data_dir, trust_network=settings.trust_network),
        *_of_remote(remote, settings, local),
    ]


def _opened(settings: Settings, stack: AsyncExitStack) -> VLLMRemote | CoSteerError:
    """The remote, or the error if its URL or proxy cannot be used."""
    from app.remote.vllm import VLLMRemote  # noqa: PLC0415

    try:
        remote = VLLMRemote(
            settings.remote_base_url,
            model=settings.remote_model,
            api_key=settings.remote_api_key.get_secret_value(),
            connect_timeout=settings.remote_connect_timeout,
            read_timeout=settings.remote_read_timeout,
            proxy=settings.proxy(),
            spare=False,
        )
    except CoSteerError as error:
        return error
    stack.push_async_callback(remote.aclose)
    return remote


def _of_remote(
    remote: VLLMRemote | CoSteerError | None, settings: Settings, local: Callable[[], Path | None]
) -> list[Check]:
    from app.cli.doctor import alike, embedded  # noqa: PLC0415
    from app.cli.doctor import remote as far  # noqa: PLC0415

    if remote is None:
        return embedded.checks((*far.NAMES, *alike.NAMES))
    if isinstance(remote, CoSteerError):
        return far.refused(remote, (*far.NAMES, *alike.NAMES))
    proxy = settings.proxy()
    return [
        *far.checks(
            remote,
            url=settings.remote_base_url,
            has_key=bool(settings.remote_api_key.get_secret_value()),
            top_logprobs=settings.top_logprobs,
            proxy=proxy,
            unused=proxy is None and bool(settings.remote_proxy.get_secret_value()),
        ),
        *alike.Alike(
            remote,
            settings.local_model,
            local,
            named=settings.remote_tokenizer,
            named_folder=partial(_folder, settings, settings.remote_tokenizer),
        ).checks(),
    ]


def _local_folder(settings: Settings) -> Path | None:
    """The local model's folder; None if it is not downloaded."""
    with suppress(WeightsError):  # reported by the check of the weights
        return _folder(settings, settings.local_model)
    return None


def _folder(settings: Settings, name: str) -> Path | None:
    """A model's folder; None if it is not downloaded. Raises WeightsError for an unknown name."""
    from app.local.weights import presence  # noqa: PLC0415

    return presence(name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir).folder
