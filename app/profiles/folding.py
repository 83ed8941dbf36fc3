"""Folds text for search: unifies case and width, and removes the diacritics that people often leave out.

Which marks are removed depends on the script and not on Unicode's category:

- Latin, Greek: every mark (Žižková, Ελλάδα, Việt), and strokes that have no decomposition (Łódź, Đà Nẵng).
- Cyrillic: the stress mark and the dots of ё; й ї ў ѓ ќ are letters of their own and stay.
- Hebrew points, Arabic vowel signs, and hamza or madda on alef; ؤ and ئ are letters and stay.
- Every other script keeps its marks: they are vowels in Hindi and Thai; か and が are two letters.
"""

from __future__ import annotations

import re
import unicodedata

from app.profiles.composing import composed

LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u02af\u1d00-\u1d7f\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff\uab30-\uab64"
GREEK = "\u0370-\u03ff\u1f00-\u1fff"
CYRILLIC = "\u0400-\u0482\u048a-\u052f\u1c80-\u1c8f\ua640-\ua66e\ua680-\ua69d"
ALEF = "\u0627"
LETTERS_OF_THEIR_OWN = "йїўѓќ"
# Letters that Unicode does not decompose, but that CLDR's Latin-ASCII transform folds.
STROKES = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ħ": "h",
        "ŧ": "t",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
    }
)
MARKS = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]"
MARK = re.compile(MARKS)
# Marks after letters of those three scripts; NFKC has composed those that form a letter of their own.
ACCENTS = re.compile(f"(?<=[{LATIN}{GREEK}{CYRILLIC}]){MARKS}+")
# Hebrew points and accents; Arabic vowel signs, tatweel and recitation marks; and invisible characters: soft
# hyphens, word joiners, variation selectors.
OPTIONAL = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u0652\u0656-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u00ad\u034f\u2060\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]+"
)


def folded(text: str) -> str:
    """The text in lower case and half width, without optional marks; folding twice changes nothing more."""
    # NFKC again after casefold, whose result need not be composed, and NFC once marks are removed.
    text = composed(composed(text, "NFKC").casefold(), "NFKC")
    if text.isascii():
        return text
    text = OPTIONAL.sub("", text).translate(PLAIN)
    if MARK.search(text):
        text = composed(ACCENTS.sub("", text), "NFC")
    return text


def _plain() -> dict[int, str]:
    """Maps each letter to the one without its optional marks. All letters are in it: a miss is slower."""
    letter = re.compile(f"[{LATIN}{GREEK}{CYRILLIC}{ALEF}]")
    found = {}
    for code in range(0x2000):
        parts = unicodedata.normalize("NFD", chr(code))
        base = parts[0]
        optional = len(parts) > 1 and letter.match(base) and chr(code) not in LETTERS_OF_THEIR_OWN
        found[code] = (base if optional else chr(code)).translate(STROKES)
    return found


PLAIN = _plain()
