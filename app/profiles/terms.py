"""From text to what a full-text index holds and what it is asked for, in any language."""

from __future__ import annotations

import re
import unicodedata

from app.profiles.folding import folded

# A change here or in folding.py needs a new VERSION in store/index.py, so that indexes are made again.

# Scripts that put no space between words; Hangul does, but glues particles to them.
UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana and iteration marks
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7af"  # Hangul
)
RUN = re.compile(f"[{UNSPACED}]+")
# What may not belong to a word: neither a letter nor a number; a mark does. SQLite's tables, which are older,
# would take every new emoji for a letter.
OTHER = re.compile(r"[^\w\s]|_")

# UTF-8 bytes of one passage: about 500 tokens in most scripts, so that two or three fit a local prompt.
PASSAGE = 2000
# Where a passage may end, the best place first: paragraph, line, sentence, word.
BORDERS = [re.compile(p) for p in (r"\n\s*\n\s*", r"\n\s*", r"(?<=[.!?…])\s+|(?<=[。\uff01\uff1f])", r"\s+")]

# Words of a query that are looked up; of a longer one the first and the last count.
MAX_TERMS = 64


def indexable(text: str) -> str:
    """The text as it is indexed: words in unified case and form, unspaced scripts as overlapping pairs.

    東京都 becomes 東京 京都 都: any two characters can be found, and one alone as the beginning of a word.
    """
    return RUN.sub(lambda run: f" {_pairs(run[0])} ", _words(text))


def terms(text: str) -> list[str]:
    """The different words to look up, lower case, in order; one that ends in * is the beginning of a word.

    None holds a quotation mark, so each can be quoted and nothing in it is an operator.
    """
    found: dict[str, None] = {}
    text = _words(text)
    position = 0
    for run in RUN.finditer(text):
        found |= dict.fromkeys(text[position : run.start()].split())
        pairs = _pairs(run[0]).split()
        found |= dict.fromkeys(pairs[:-1] if len(pairs) > 1 else [f"{pairs[0]}*"])
        position = run.end()
    found |= dict.fromkeys(text[position:].split())
    every = list(found)
    return every if len(every) <= MAX_TERMS else every[: MAX_TERMS // 2] + every[-MAX_TERMS // 2 :]


def passages(text: str) -> list[str]:
    """The text in pieces of at most PASSAGE bytes, cut at the best border there is; together they are it all.

    A text that fits is one piece, and so is a blank one, which is empty then.
    """
    return [piece for part in _split(text, 0) if (piece := part.strip())] or [""]


def _words(text: str) -> str:
    return OTHER.sub(lambda one: one[0] if unicodedata.category(one[0])[0] == "M" else " ", folded(text))


def _pairs(run: str) -> str:
    return " ".join([*(run[i : i + 2] for i in range(len(run) - 1)), run[-1]])


def _split(text: str, depth: int) -> list[str]:
    if not text.strip():
        return []
    if len(text.encode()) <= PASSAGE:
        return [text]
    if depth == len(BORDERS):  # one word without end: by characters, of 4 bytes at most
        return [text[i : i + PASSAGE // 4] for i in range(0, len(text), PASSAGE // 4)]
    pieces, start = [], 0
    for border in BORDERS[depth].finditer(text):
        if border.end() > start:
            pieces.append(text[start : border.end()])
            start = border.end()
    pieces.append(text[start:])
    if len(pieces) == 1:
        return _split(text, depth + 1)
    return _joined([part for piece in pieces for part in _split(piece, depth + 1)])


def _joined(pieces: list[str]) -> list[str]:
    """Neighbours put together for as long as they fit."""
    joined: list[str] = []
    size = PASSAGE
    for piece in pieces:
        length = len(piece.encode())
        if size + length <= PASSAGE:
            joined[-1] += piece
            size += length
        else:
            joined.append(piece)
            size = length
    return joined
