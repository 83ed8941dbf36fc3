"""What `costeer serve` prints once it serves: how to use the API."""

from __future__ import annotations

import json
import shlex
import socket
from dataclasses import dataclass

from rich.console import Console

from app.logs import printable


@dataclass(frozen=True)
class Met:
    """What a server that has started knows: the name of the remote's model, the id of a profile if there is
    one, and notes for who has started it."""

    model: str
    profile: str | None = None
    notes: tuple[str, ...] = ()


def announce(console: Console, listener: socket.socket, met: Met) -> None:
    """Prints the notes, the base_url and a curl command to paste."""
    for note in met.notes:
        console.print(printable(note), markup=False, highlight=False, soft_wrap=True)
    host, port = listener.getsockname()[:2]
    # A wildcard address is reached through the loopback address.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    question = {"role": "user", "content": "Write a short invitation to dinner on Saturday."}
    body = {"model": met.model, "stream": True, "max_tokens": 120, "messages": [question]}
    if met.profile:
        body["profile"] = met.profile
    data = shlex.quote(json.dumps(body))
    console.print(
        f"\nCoSteer serves at\n\n  base_url = {base_url}\n  model    = {printable(met.model)}\n\nTry it:\n\n"
        f"curl -N {base_url}/chat/completions -H 'Content-Type: application/json' -d {data}\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
