"""Text that is safe to show on a terminal: what that would obey is written out."""

from __future__ import annotations

import re

# Control characters but line ends and tabs, those that turn the direction of writing, halves of characters.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with what a terminal would obey written out, as \\x1b; line ends and tabs stay."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
