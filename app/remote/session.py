"""Random ids of conversations, by which a router keeps each on the replica that has its beginning cached."""

from __future__ import annotations

import re
import secrets

ID = re.compile(r"[0-9a-f]{32}")


def new_session() -> str:
    """An id that says nothing, and that nobody can guess: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def check_session(session: str) -> None:
    """Raise TypeError for anything but such an id."""
    if type(session) is not str or not ID.fullmatch(session):
        raise TypeError("only a random id names a conversation to the remote")
