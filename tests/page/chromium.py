"""Where the browser is, and how it is started: with nothing of its own to say to anybody."""

from __future__ import annotations

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = (
    "These tests need Chromium: install it (Debian: apt-get install chromium; others: a package, or Google "
    "Chrome), or name one by CHROMIUM=/path/to/chromium."
)
# A sandbox needs rights that containers do not give; the pages are this repository's own.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str:
    """The browser's path. Ends the session where there is none, and says what to install."""
    named = os.environ.get("CHROMIUM")
    found = next((path for name in ([named] if named else NAMES) if (path := shutil.which(name))), None)
    if found is None:
        pytest.exit(MISSING, returncode=1)
    return found
