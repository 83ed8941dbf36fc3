"""Memory that is free in this process, given back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def trim() -> None:
    """Return what malloc holds and nobody uses; takes milliseconds.

    KV caches and logits of all sizes come and go. What they leave in glibc's heap are holes, which it gives
    back only when told to, and which grow for hours. Elsewhere than with glibc, nothing happens.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
