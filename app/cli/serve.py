"""`costeer serve`: the port, the weights, then the server."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Annotated

import typer

from app.cli.environment import read_settings
from app.cli.models import fetch
from app.cli.terminal import mistakes_named, out
from app.listener import listen


@mistakes_named()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless set.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 8000 unless set, 0 picks one.", min=0, max=65535)
    ] = None,
) -> None:
    """Serve the OpenAI API on this machine."""
    settings = read_settings(host=host, port=port)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # As Ctrl-C does, it should close what is open, a download's pip among it, and not just kill.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # The port first: a taken one should be said before minutes of downloading.
    with listen(settings.host, settings.port) as listener:
        # Before the event loop runs, so that Ctrl-C ends a download at once.
        fetch(settings.model_names(), settings.cache_dir, settings.weights_dir)
        # Imported here: torch takes seconds, and no other command needs it.
        from app.server import run  # noqa: PLC0415

        run(settings, listener, out)
