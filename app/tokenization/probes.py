"""Checks whether the remote's and the local vocabulary are identical: both tokenize the same texts."""

from __future__ import annotations

# Texts on which tokenizers differ: spaces and case, digits, code, accents, other scripts, emoji, joiners.
PROBES = (
    "The quick brown fox doesn't jump;  it LEAPS\tover 12345 lazy dogs, won't it?\n\n",
    "def f(x):\n    return {'a': x ** 2, \"b\": [1_000, 3.14e-10]}  # ünïcode\r\n",
    "Größe, naïve café, señor, Ærøskøbing; 東京タワーは高い。서울은 크다. Привет, мир! שלום مرحبا",
    "😀👩‍👩‍👧‍👦 e\u0301 \u200b½ ≈ ∑",
)


def first_difference(remote: list[list[int]], local: list[list[int]]) -> str | None:
    """The first of PROBES that the two tokenizers tokenize differently; None when the token ids all agree.

    `remote`, `local`: token ids of each probe. Agreement on every one means the same vocabulary and the same
    merges, so that a remote token id can be looked up in the local model as it is.
    """
    for text, theirs, ours in zip(PROBES, remote, local, strict=True):
        if theirs != ours:
            return text
    return None
