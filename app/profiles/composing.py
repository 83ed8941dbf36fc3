"""Unicode's normal forms in linear time."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

# The longest run of marks that is put in order as a whole, as in Unicode's stream-safe text (UAX 15): sorting
# takes time with the square of a run. Marks are no \w, two halfwidth forms apart, which become some.
RUN = re.compile(r"(?:[^\w\s]|[\uff9e\uff9f]){30}")


def composed(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """The text in the form; a run of marks that is longer than any word's is composed in pieces."""
    pieces, start = [], 0
    for run in RUN.finditer(text):
        pieces.append(unicodedata.normalize(form, text[start : run.end()]))
        start = run.end()
    return "".join(pieces) + unicodedata.normalize(form, text[start:])
