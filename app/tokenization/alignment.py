"""Maps the remote's tokens to a different local vocabulary, by the bytes that tokens spell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from app.steering.formula import FloatArray, IntArray, Rows, likeliest, unlike
from app.tokenization.byte_vocabulary import ByteVocabulary
from app.tokenization.retokenizer import Retokenizer
from app.tokenization.tokenizer import Tokenizer
from app.tokenization.vocabulary import Vocabulary

UNKNOWN, SEVERAL = -1, -2


class ByteAlignment:
    """Maps each remote token to the local tokens whose probabilities add up to its own.

    That is the local token of the same bytes. Where there is none, the local model writes the same bytes if
    its next token begins with them, or if its next token is a prefix of them and later tokens complete the
    rest. Of such prefixes only the longest counts, and its rest, which would need passes of its own, is taken
    to be equally likely in both contexts.
    """

    def __init__(
        self,
        remote: Sequence[bytes | tuple[int, ...]],
        local: ByteVocabulary,
        encode: Callable[[str], list[int]],
    ) -> None:
        """`remote`: the bytes of each remote token id; for a special token, the local ids in its place, if
        any. `encode` tokenizes text that continues another text into local tokens."""
        self._remote = remote
        self._local = local
        self._encode = encode
        # The local token id where there is exactly one; else UNKNOWN or SEVERAL.
        self._single = np.full(len(remote), UNKNOWN, np.int64)
        self._several: dict[int, IntArray] = {}
        for token_id, spelled in enumerate(remote):
            if isinstance(spelled, bytes):
                exact = local.exact(spelled)
                single = SEVERAL if exact is None and spelled else exact
            else:
                single = spelled[0] if len(spelled) == 1 else SEVERAL if spelled else UNKNOWN
            self._single[token_id] = UNKNOWN if single is None else single
        # The other way: the remote token with exactly the bytes of a local one.
        self._back = np.full(len(local.spelling), UNKNOWN, np.int64)
        exact_ids = np.flatnonzero(self._single >= 0)[::-1]  # of several, the lowest id
        self._back[self._single[exact_ids]] = exact_ids

    @property
    def exact(self) -> float:
        """The share of the remote's tokens with bytes for which there is a local token of the same bytes."""
        spelled = [
            single
            for single, data in zip(self._single, self._remote, strict=True)
            if isinstance(data, bytes) and data
        ]
        return sum(single >= 0 for single in spelled) / max(1, len(spelled))

    def retokenizer(self) -> Retokenizer:
        """A retokenizer of one reply, from the remote's tokens to local ones."""
        return Retokenizer(self._local, self._encode, self._spell)

    def logprobs(self, rows: Rows, candidates: IntArray) -> FloatArray:
        """[n, K] log-probabilities; see LocalLogprobs. `rows` [n, V] are the local model's, for n prompts."""
        known = candidates < len(self._single)
        single = np.where(known, self._single[np.where(known, candidates, 0)], UNKNOWN)
        logprobs = np.where(single >= 0, rows[:, np.maximum(single, 0)].astype(np.float64), 0.0)
        several = np.flatnonzero(single == SEVERAL)
        found = [self._tokens(token_id) for token_id in candidates[several].tolist()]
        several = several[[len(ids) > 0 for ids in found]]
        if len(several):
            ids = [one for one in found if len(one)]
            starts = np.cumsum([0, *map(len, ids[:-1])])
            mass = np.exp(rows[:, np.concatenate(ids)].astype(np.float64))
            logprobs[:, several] = np.log(np.add.reduceat(mass, starts, axis=1))
        return logprobs

    def likeliest(self, row: npt.NDArray[np.float32], count: int, without: IntArray) -> IntArray:
        """The likeliest remote tokens by one row [V], but for `without`; only tokens with a local one of the
        same bytes."""
        # Look at more than `count`: some local tokens have no counterpart, or one in `without`.
        ids = self._back[likeliest(row[: len(self._back)], 2 * (count + len(without)))]
        return unlike(ids[ids >= 0], without)[:count]

    def _tokens(self, token_id: int) -> IntArray:
        if token_id not in self._several:
            self._several[token_id] = self._found(self._remote[token_id])
        return self._several[token_id]

    def _found(self, spelled: bytes | tuple[int, ...]) -> IntArray:
        if isinstance(spelled, tuple):
            return np.array(spelled, np.int64)
        longest = self._local.longest(spelled)
        covering = self._local.beginning(spelled)
        return covering if longest is None else np.append(covering, longest)

    def _spell(self, token_id: int) -> bytes | tuple[int, ...]:
        return self._remote[token_id] if token_id < len(self._remote) else b""


def align(remote: Vocabulary, local: Tokenizer) -> ByteAlignment:
    """Align two vocabularies. A special token maps to the local one of the same name, else one that ends a
    reply maps to those that do here; anything else without bytes maps to nothing. Takes a second.

    Raises WeightsError for a local tokenizer whose tokens do not spell the text that they stand for.
    """
    local.check_spelling()
    named = {local.special_name(token_id): token_id for token_id in range(len(local))}
    ends = tuple(sorted(local.eos_ids))

    def counterpart(token_id: int) -> bytes | tuple[int, ...]:
        data = remote.token_bytes(token_id)
        if data is not None:
            return data
        name = remote.special_name(token_id)
        if name is not None and name in named:
            return (named[name],)
        return ends if token_id in remote.eos_ids else ()

    return ByteAlignment(
        [counterpart(token_id) for token_id in range(len(remote))],
        ByteVocabulary([local.token_bytes(token_id) for token_id in range(len(local))]),
        local.encode_after,
    )
