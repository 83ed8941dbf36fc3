"""Measures of a reply without a judge: against the person's own text, and of the reply by itself."""

from __future__ import annotations

import re
from collections import Counter

from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer

WORDS = re.compile(r"[^\W_]+")
RUN = 4  # words
_ROUGE = RougeScorer(["rougeL"], use_stemmer=True)
_STEMMER = PorterStemmer()


class _NoSynonyms:
    """Replaces WordNet, which would have to be downloaded."""

    def synsets(self, word: str) -> list[object]:
        return []


def rouge_l(reply: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words, stemmed (Lin 2004)."""
    return float(_ROUGE.score(reference, reply)["rougeL"].fmeasure)


def meteor(reply: str, reference: str) -> float:
    """METEOR with its exact and stemmed matching, without synonyms (Banerjee and Lavie 2005)."""
    return float(
        single_meteor_score(_words(reference), _words(reply), stemmer=_STEMMER, wordnet=_NoSynonyms())
    )


def repetition(reply: str) -> float | None:
    """The share of 4-grams of words that occurred earlier in the reply (seq-rep-4, arXiv 1908.04319); None
    for a reply of fewer words."""
    words = _words(reply)
    runs = Counter(tuple(words[first : first + RUN]) for first in range(len(words) - RUN + 1))
    return 1.0 - len(runs) / runs.total() if runs else None


def _words(text: str) -> list[str]:
    return WORDS.findall(text.lower())
