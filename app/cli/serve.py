"""`costeer serve`: says what is where, opens the port, downloads missing weights, and runs the server."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli import startup
from app.cli.collection import uncollected
from app.cli.environment import read_settings, settings_origins
from app.cli.models import fetch
from app.cli.terminal import mistakes_named, out, write
from app.errors import SettingsError
from app.logs import write_log
from app.network.listener import listen, on_this_machine
from app.profiles.store import Store
from app.settings.config_file import config_path

# The exit status for settings that have to be changed first (EX_CONFIG of sysexits.h): a service manager
# then need not try again.
MISCONFIGURED = 78


@mistakes_named(misconfigured=MISCONFIGURED)
def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on; 127.0.0.1 unless set.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 8000 unless set, 0 picks one.", min=0, max=65535)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that serve; 1 unless set. More need no model here.", min=1, max=64),
    ] = None,
) -> None:
    """Serve the OpenAI API on this machine."""
    settings = read_settings(host=host, port=port, workers=workers)
    write_log(settings.log_level, settings.log_format)
    # SIGTERM should clean up as Ctrl-C does, for instance end the pip of a download.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    startup.require_sharing(settings)
    startup.require_packages(settings)
    if not settings.trust_network and not on_this_machine(settings.host):
        _refuse_without_key(settings.host, settings.data_dir)
    # The port first: if it is taken, that should be reported before minutes of downloading.
    with listen(settings.host, settings.port) as listener:
        _tell(startup.lines(settings, settings_origins(host=host, port=port, workers=workers), config_path()))
        found = startup.models(settings)
        _tell(startup.model_lines(settings, found))
        startup.require_room(settings, found)
        # Before the event loop runs, so that Ctrl-C ends a download at once.
        fetch(settings.model_names(), settings.cache_dir, settings.weights_dir)
        # Imported here: what a server needs takes half a second, and no other command needs it.
        with uncollected():
            if settings.workers > 1:
                from app.cli.workers import run_workers as run  # noqa: PLC0415
            else:
                from app.cli.serving import run  # noqa: PLC0415

        run(settings, listener, out)


def _tell(lines: Sequence[startup.Line]) -> None:
    for name, text in lines:
        write(f"{name:<10}{text}")


def _refuse_without_key(host: str, data_dir: Path) -> None:
    """Raises SettingsError if other machines could use every profile without a key."""
    with Store.open(data_dir) as store:
        if store.keys.required():
            return
    raise SettingsError(
        f"{host} can be reached from other machines, and there is no admin key yet: whoever asks could "
        "use every profile. Make one with `costeer keys create --admin`, or listen on 127.0.0.1. "
        "(COSTEER_TRUST_NETWORK=true serves without, for a container whose port only its host can reach.)"
    )
