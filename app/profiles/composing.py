"""Unicode normalization (NFC, NFKC) in linear time."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

# The longest run of combining marks that is normalized as a whole, as in Unicode's stream-safe text (UAX 15):
# sorting a run takes quadratic time. Marks do not match \w, except two halfwidth forms that become marks.
RUN = re.compile(r"(?:[^\w\s]|[\uff9e\uff9f]){30}")


def composed(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """Normalizes the text; a run of marks longer than any word has is normalized in pieces."""
    pieces, start = [], 0
    for run in RUN.finditer(text):
        pieces.append(unicodedata.normalize(form, text[start : run.end()]))
        start = run.end()
    return "".join(pieces) + unicodedata.normalize(form, text[start:])
