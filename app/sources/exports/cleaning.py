"""Makes a text of an export fit for a history, and says whether it is long enough to show how one writes."""

from __future__ import annotations

import re

from app.profiles.document import MAX_TITLE
from app.profiles.plain_text import unified
from app.profiles.terms import UNSPACED

# Characters below which a message teaches nothing: "fix this", "ok, see you". In scripts without spaces,
# where a word takes about two characters, each counts three times.
LEAST = 60
SHORT = f"fewer than {LEAST} characters"

SURROGATE = re.compile("[\ud800-\udfff]")
UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")


def cleaned(text: str) -> str:
    """The text with line feeds for line ends, without NUL, lone surrogates and blanks around it."""
    return SURROGATE.sub("\ufffd", unified(text).replace("\0", "")).strip()


def title_line(value: object) -> str:
    """A title as one line of at most MAX_TITLE characters; "" for what is no text."""
    return " ".join(cleaned(value[: 4 * MAX_TITLE]).split())[:MAX_TITLE] if isinstance(value, str) else ""


def long_enough(text: str) -> bool:
    """Whether the text says enough to show how its writer writes."""
    head = text[:LEAST]
    return len(head) + 2 * len(UNSPACED_LETTER.findall(head)) >= LEAST


def prose(text: str) -> str:
    """The text without fenced blocks: what people paste between fences is code and logs, not their style."""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        found = FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence):
                fence = ""
        elif found:
            fence = found[1]
        else:
            kept.append(line)
    return "\n".join(kept).strip()
