"""What a reply sent to the remote, as the detail tells it: every request, its token ids as text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from app.remote.sent import Sent, SentRequest
from app.tokenization.vocabulary import Vocabulary


def sent_requests(sent: Sent, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """The requests in their order. `text` is what the token ids spell, special tokens written out, behind the
    text of the request number `after`. Blocks: for a worker thread."""
    requests = tuple(sent.requests)
    texts = _Texts(requests, vocabulary)
    return [_told(one, texts.of(number)) for number, one in enumerate(requests)]


def _told(one: SentRequest, text: dict[str, Any]) -> dict[str, Any]:
    told = {"method": one.method, "endpoint": one.endpoint, "embedded": one.embedded, "body": one.body}
    allowed = {"allowed": one.allowed} if one.allowed is not None else {}
    return {**told, **allowed, **(text if one.ids is not None else {})}


class _Texts:
    """The texts of requests, each asked for after those before it."""

    def __init__(self, requests: Sequence[SentRequest], vocabulary: Vocabulary) -> None:
        self._requests, self._vocabulary = requests, vocabulary
        self._spelled: list[bytes] = []
        self._whole: list[bool] = []  # whether the text ends with the end of a character

    def of(self, number: int) -> dict[str, Any]:
        """The fields about a request's token ids."""
        one = self._requests[number]
        data = b"".join(map(self._bytes, one.ids or ()))
        self._spelled.append(data)
        after, shared = one.after, one.shared
        while after is not None and not self._whole[after]:
            before = self._requests[after]
            data = self._spelled[after] + data
            after, shared = before.after, before.shared
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data)
        self._whole.append(not decoder.getstate()[0])
        text += decoder.decode(b"", final=True)
        return {"tokens": one.tokens, "after": after, "shared": shared, "text": text}

    def _bytes(self, token_id: int) -> bytes:
        data = self._vocabulary.token_bytes(token_id)
        return self._vocabulary.token_text(token_id).encode() if data is None else data
