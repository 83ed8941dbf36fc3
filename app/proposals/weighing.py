"""Weighs preferences with the small model: what each adds to the likelihood of texts that are there already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from app.local.interface import RowModel
from app.profiles.profile import Preference
from app.prompts.local_prompts import local_prompts
from app.prompts.message import Message
from app.prompts.private import WRITE, PrivateContext
from app.steering.formula import Rows
from app.tokenization.tokenizer import Tokenizer

# Tokens of a text that are scored, and characters that are cut into tokens for that.
TOKENS, CHARACTERS = 64, 1000


class Weighing:
    """Scores texts under a preference and its opposite, in the prompts that replies are steered by."""

    def __init__(self, model: RowModel, tokenizer: Tokenizer, max_context_tokens: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._max_context_tokens = max_context_tokens

    async def gain(self, preference: Preference, request: str, text: str) -> float:
        """What the preference adds to the log-probability of the text's beginning as the answer to `request`,
        against its opposite: nats per token. 0 where nothing can be scored. Raises what the model raises."""
        private = PrivateContext(preferences=(preference,))
        messages = (Message("user", request.strip() or WRITE),)
        prompts = await asyncio.to_thread(
            local_prompts, private, messages, self._tokenizer, self._max_context_tokens
        )
        ids = self._tokenizer.encode_after(text[:CHARACTERS])[:TOKENS]
        if not ids or not prompts.pairs:
            return 0.0
        async with self._model.session(prompts.contrasts()) as session:
            rows = await session.rows(ids, len(ids) + 1)
            aware, agnostic = (_likelihood(rows[side], ids) for side in session.pairs[0])
        return (aware - agnostic) / len(ids)


def _likelihood(rows: Rows, ids: Sequence[int]) -> float:
    """The log-probability of tokens by `rows` [1 + tokens, V]."""
    return float(rows[np.arange(len(ids)), ids].sum(dtype=np.float64))
