"""Prepares text in any language for the full-text index: its words, the query terms, and passages."""

from __future__ import annotations

import re
import unicodedata

from app.profiles.folding import folded

# A change here or in folding.py needs a new VERSION in store/index.py, so that indexes are rebuilt.

# Scripts without spaces between words. Hangul has spaces, but attaches particles to words.
UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana and iteration marks
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7af"  # Hangul
)
RUN = re.compile(f"[{UNSPACED}]+")
# Candidates for separators: neither letters nor digits. Combining marks among them belong to words, see
# separated(). Left to SQLite, whose Unicode tables are older, every new emoji would count as a letter.
OTHER = re.compile(r"[^\w\s]|_")

# UTF-8 bytes of one passage: about 500 tokens in most scripts, so that two or three fit into a local prompt.
PASSAGE = 2000
# Where a passage may be cut, the best border first: paragraph, line, sentence, word.
BORDERS = [re.compile(p) for p in (r"\n\s*\n\s*", r"\n\s*", r"(?<=[.!?…])\s+|(?<=[。\uff01\uff1f])", r"\s+")]

# Words of a query that are looked up; of a longer query the first and the last half of that.
MAX_TERMS = 64


def indexable(text: str) -> str:
    """The text as it is indexed: folded words; unspaced scripts as overlapping bigrams.

    東京都 becomes 東京 京都 都: any two characters can be found, and a single one by a prefix search.
    """
    return RUN.sub(lambda run: f" {_pairs(run[0])} ", separated(text))


def terms(text: str) -> list[str]:
    """The distinct words to look up, folded, in order; a word that ends in * is a prefix.

    No word contains a quotation mark, so each can be quoted and nothing in it is an operator.
    """
    found: dict[str, None] = {}
    text = separated(text)
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
    """Splits the text into passages of at most PASSAGE bytes, cut at the best border there is; none is lost.

    A text that fits is one passage; a blank text is one empty passage.
    """
    return [piece for part in _split(text, 0) if (piece := part.strip())] or [""]


def separated(text: str) -> str:
    """The folded text with a blank for whatever is neither letter, mark nor digit."""
    return OTHER.sub(lambda one: one[0] if unicodedata.category(one[0])[0] == "M" else " ", folded(text))


def _pairs(run: str) -> str:
    return " ".join([*(run[i : i + 2] for i in range(len(run) - 1)), run[-1]])


def _split(text: str, depth: int) -> list[str]:
    if not text.strip():
        return []
    if len(text.encode()) <= PASSAGE:
        return [text]
    if depth == len(BORDERS):  # a single long word: cut by characters, of at most 4 bytes each
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
    """Merges neighbouring pieces as long as they fit into one passage."""
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
