"""The peak memory of this process."""

from __future__ import annotations

import sys


def peak_memory() -> int | None:
    """Peak resident memory in bytes; None where the system does not report it (Windows)."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415  # not there on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, Linux KiB
