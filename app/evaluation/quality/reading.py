"""Reads replies with the remote: how likely it finds them, alone or if it is shown the context."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.evaluation.quality.cases import Case, CasePrompts, case_prompts
from app.remote.embedded import EmbeddedRemote
from app.tokenization.tokenizer import Tokenizer

# Prompts that are remembered, of a thousand tokens each: replies to a case come one after the other.
REMEMBERED = 500


class Prompts:
    """The prompts of cases in each form, made once for all replies to a case."""

    def __init__(self, max_context_tokens: int) -> None:
        self._max_context_tokens = max_context_tokens
        self._made: dict[tuple[str, str, int], CasePrompts] = {}

    async def of(self, case: Case, tokenizer: Tokenizer, form: str) -> CasePrompts:
        """See case_prompts. A tokenizer must live as long as this."""
        key = case.id, form, id(tokenizer)
        if key not in self._made:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            limit = self._max_context_tokens
            self._made[key] = await asyncio.to_thread(case_prompts, case, tokenizer, limit, form)
        return self._made[key]


class Reading:
    """Mean negative log-likelihoods of replies under the remote, in nats per token."""

    def __init__(self, remote: EmbeddedRemote, prompts: Prompts) -> None:
        self._remote = remote
        self._prompts = prompts

    async def alone(self, case: Case, text: str) -> float | None:
        """Under the remote that is shown nothing; None for an empty text."""
        return await self._nll(self._remote.tokenizer.chat(case.messages), text)

    async def shown(self, case: Case, text: str, forms: Sequence[str]) -> dict[str, float]:
        """By form, under the remote that is shown the context in it; nothing for an empty text."""
        found = {}
        for form in forms:
            prompts = await self._prompts.of(case, self._remote.tokenizer, form)
            nll = await self._nll(prompts.shown.ids, text)
            if nll is not None:
                found[form] = nll
        return found

    async def _nll(self, prompt: Sequence[int], text: str) -> float | None:
        ids = self._remote.tokenizer.encode_after(text)
        return -float((await self._remote.logprobs(prompt, ids)).mean()) if ids else None
