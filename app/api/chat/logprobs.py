"""OpenAI's `logprobs` object, from the distributions that the reply's tokens were chosen from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from app.decoding.reply import TokenText
from app.decoding.request import Token
from app.tokenization.vocabulary import Vocabulary

# OpenAI's value for a token of practically no probability; JSON has no infinity.
IMPOSSIBLE = -9999.0


def logprobs(token_texts: Iterable[TokenText], top: int, vocabulary: Vocabulary) -> dict[str, Any]:
    """The `logprobs` of a choice. The concatenated `bytes` of its entries are the text in UTF-8.

    Each token has its `top` likeliest alternatives, or fewer if there are fewer candidates.
    """
    content = [
        _entry(token, data, top, vocabulary)
        for one in token_texts
        for token, data in zip(one.tokens, split(one, vocabulary), strict=True)
    ]
    return {"content": content, "refusal": None}


def split(one: TokenText, vocabulary: Vocabulary) -> list[bytes | None]:
    """Each token's bytes of the text; None for a token without text.

    Bytes that form no valid character are kept unchanged, though the text shows U+FFFD for them.
    """
    own = [vocabulary.token_bytes(token.token_id) for token in one.tokens]
    whole, text = b"".join(data or b"" for data in own), one.text.encode()
    # The text is shorter if a stop string cut its end, or if the detokenizer removed a leading space.
    start = whole.find(text)
    end_of_text = start + len(text)
    if start < 0:
        if whole[:1] != b" " or whole[1:].decode(errors="replace") != one.text:
            return own
        start, end_of_text = 1, len(whole)
    parts: list[bytes | None] = []
    position = 0
    for data in own:
        end = position + len(data or b"")
        kept = whole[max(position, start) : min(end, end_of_text)]
        parts.append(None if data is None else kept)
        position = end
    return parts


def _entry(token: Token, data: bytes | None, top: int, vocabulary: Vocabulary) -> dict[str, Any]:
    likeliest = np.argsort(-token.logprobs, kind="stable")[:top]
    return {
        **_told(_text(token.token_id, data, vocabulary), token.logprob, data),
        "top_logprobs": [
            _told(
                vocabulary.token_text(token_id),
                float(token.logprobs[index]),
                vocabulary.token_bytes(token_id),
            )
            for index, token_id in zip(likeliest, token.candidates[likeliest].tolist(), strict=True)
        ],
    }


def _text(token_id: int, data: bytes | None, vocabulary: Vocabulary) -> str:
    return vocabulary.token_text(token_id) if data is None else data.decode(errors="replace")


def _told(text: str, logprob: float, data: bytes | None) -> dict[str, Any]:
    return {
        "token": text,
        "logprob": max(logprob, IMPOSSIBLE),
        "bytes": None if data is None else list(data),
    }
