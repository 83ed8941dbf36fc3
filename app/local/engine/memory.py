"""Returns this process's free heap memory to the operating system."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def trim() -> None:
    """Return the heap memory that malloc holds but nothing uses; takes milliseconds.

    KV caches and logits of all sizes come and go. They leave holes in glibc's heap, which grow for hours, and
    which it returns to the system only when told to. Without glibc, nothing happens.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
