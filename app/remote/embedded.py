"""The remote's interface to a model in this process, so that no server is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from app.errors import Unsupported
from app.local.engine.owner import Owner
from app.local.engine.runner import ModelRunner
from app.prompts.message import Message, Tool
from app.remote.calling import Writer, beginning, sampling_of, writes_calls
from app.remote.handover import chat_body, without_blanks
from app.remote.interface import (
    MIN_TEMPERATURE,
    DraftToken,
    Forward,
    Forwarded,
    Handover,
    ModelCard,
    RemoteVocabulary,
    Said,
)
from app.remote.sent import noting
from app.remote.wire import draft_body, tokenize_body, tokenize_text_body
from app.steering.formula import FloatArray, Rows, log_softmax
from app.steering.sampling import SamplingParams, TokenCounts, distribution, draw, penalise
from app.tokenization.tokenizer import Tokenizer


class EmbeddedRemote:
    """Drafts with a ModelRunner as a vLLM would: same fields, same raw logprobs."""

    def __init__(self, runner: ModelRunner, owner: Owner | None = None) -> None:
        """`owner`: whose conversations it reads; None for requests without a profile."""
        self._runner = runner
        self._owner = owner

    def kept_for(self, owner: Owner | None) -> EmbeddedRemote:
        """The same model, with KV caches that only this owner's requests reuse."""
        return EmbeddedRemote(self._runner, owner)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._runner.tokenizer

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        """Prompt ids of the public conversation. Raises ContextLengthExceeded when they are too many."""
        self._note(
            "/tokenize",
            lambda: tokenize_body(messages, continue_final=continue_final, tools=tools, opens=opens),
        )
        chat = self._runner.tokenizer.chat
        ids = await asyncio.to_thread(chat, messages, continue_final=continue_final, tools=tools, opens=opens)
        self._runner.check_length(len(ids))
        return ids

    passes_on = False

    async def card(self) -> ModelCard:
        """The model in this process."""
        return ModelCard(self._runner.name, self._runner.max_model_len, owned_by="costeer")

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        """That model alone."""
        return [await self.card()]

    async def tokenize_text(self, text: str) -> list[int]:
        """Token ids of plain text, with no special tokens."""
        self._note("/tokenize", lambda: tokenize_text_body(text))
        return await asyncio.to_thread(self._runner.tokenizer.encode, text)

    async def vocabulary(self) -> RemoteVocabulary:
        """Its tokenizer's vocabulary."""
        return RemoteVocabulary(self.tokenizer, f"by the tokenizer of {self._runner.name}")

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        """Draft tokens, one forward pass each. The same seed and prompt sample the same tokens."""
        self._note("/v1/completions", lambda: draft_body(prompt, sampling, top_logprobs, max_tokens))
        drafts = self._drafts(prompt, sampling, top_logprobs, max_tokens)
        async with aclosing(drafts) as positions:
            async for drafted in positions:
                yield drafted

    async def _drafts(
        self, prompt: Sequence[int], sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        if not sampling.greedy:
            sampling = replace(sampling, temperature=max(sampling.temperature, MIN_TEMPERATURE))
        rng = np.random.default_rng(None if sampling.seed is None else sampling.seed % 2**64)
        seen = TokenCounts(prompt=frozenset(prompt))
        sequence = list(prompt)

        def finish(rows: list[torch.Tensor]) -> DraftToken:
            logprobs = log_softmax(rows[0][-1].double().numpy())
            scores = penalise(logprobs, np.arange(len(logprobs)), sampling, seen)
            token_id = draw(distribution(scores, sampling), rng)
            return _drafted(token_id, logprobs, top_logprobs, self._runner.tokenizer.eos_ids)

        with self._runner.lease(self._owner) as lease:
            for _ in range(max_tokens):
                drafted, _found = await self._runner.extend(lease, [sequence], 1, finish)
                yield drafted
                if drafted.ends:
                    return
                seen.add(drafted.token_id)
                sequence = [*sequence, drafted.token_id]

    async def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:
        """The rest of a reply, by the same model, with its calls read from its text; see calling.py.

        Raises Unsupported for a model whose calls are not read here, and ContextLengthExceeded.
        """
        self._note("/v1/chat/completions", lambda: chat_body(handover, self._runner.name))
        spoken = self._written(handover)
        async with aclosing(without_blanks(spoken) if handover.begun else spoken) as pieces:
            async for piece in pieces:
                yield piece

    async def _written(self, handover: Handover) -> AsyncGenerator[Said, None]:
        prompt = await asyncio.to_thread(self._prompt, handover)
        self._runner.check_length(len(prompt))
        room = self._runner.max_model_len - len(prompt)
        drafts = self._drafts(
            prompt,
            sampling_of(handover.asked),
            top_logprobs=max(1, handover.asked.get("top_logprobs") or 0),
            max_tokens=min(handover.max_tokens or room, room),
        )
        writer = Writer(handover, self.tokenizer)
        async with aclosing(drafts) as positions:
            async for drafted in positions:
                for piece in writer.take(drafted):
                    yield piece
                if writer.done is not None:
                    break
        for piece in writer.end():
            yield piece

    def _note(self, endpoint: str, body: Callable[[], dict[str, Any]]) -> None:
        """Note what is asked, as a vLLM would be asked it, where the reply at hand notes what is sent."""
        if (sent := noting()) is not None:
            sent.add("POST", endpoint, {"model": self._runner.name, **body()}, embedded=True)

    def _prompt(self, handover: Handover) -> list[int]:
        """Token ids of the conversation and of what the reply has to begin with."""
        if not writes_calls(self.tokenizer):
            raise Unsupported(
                f"tools are not supported by {self._runner.name}, the embedded model: its calls are not "
                "those that are read here, which are JSON in <tool_call>. Leave the tools out, set "
                "COSTEER_EMBEDDED_MODEL to one of Qwen's models, or set COSTEER_REMOTE_BASE_URL to a vLLM, "
                "to which they are passed on.",
                param="tools",
            )
        begun = (Message("assistant", handover.begun),) if handover.begun else ()
        text = self.tokenizer.render(
            (*handover.messages, *begun), continue_final=bool(begun), tools=handover.tools
        )
        return self.tokenizer.encode(text + beginning(handover))

    async def read(self, prompt: Sequence[int], ids: Sequence[int]) -> Rows:
        """Log-probabilities [n, V] that predict each of the n tokens `ids` of a text after a prompt."""

        def finish(logprobs: list[torch.Tensor]) -> Rows:
            rows: Rows = logprobs[0].numpy()
            return rows

        with self._runner.lease(self._owner) as lease:
            rows, _ = await self._runner.extend(lease, [[*prompt, *ids[:-1]]], len(ids), finish)
        return rows

    async def logprobs(self, prompt: Sequence[int], ids: Sequence[int]) -> FloatArray:
        """[n]: log-probabilities of the tokens `ids` of a text after a prompt, in nats."""

        def finish(rows: list[torch.Tensor]) -> FloatArray:
            logprobs: FloatArray = rows[0].double().gather(1, torch.tensor(ids)[:, None])[:, 0].numpy()
            return logprobs

        with self._runner.lease(self._owner) as lease:
            logprobs, _ = await self._runner.extend(lease, [[*prompt, *ids[:-1]]], len(ids), finish)
        return logprobs

    async def forward(self, request: Forward) -> Forwarded:
        """Raise Unsupported: this remote drafts, and does nothing else."""
        raise Unsupported(
            f"{request.what} is not supported by the embedded model. Leave it out, or set "
            "COSTEER_REMOTE_BASE_URL to a vLLM, to which it is passed on.",
            param=request.what.split()[0].rstrip(":"),
        )


def _drafted(token_id: int, logprobs: FloatArray, top: int, eos_ids: frozenset[int]) -> DraftToken:
    """The draft token first, then the rest of the top K by descending logprob, as vLLM lists them."""
    best = np.argpartition(-logprobs, top)[:top]
    best = best[np.argsort(-logprobs[best], kind="stable")]
    ids = np.concatenate(([token_id], best[best != token_id]))
    return DraftToken(token_id, ids, logprobs[ids], ends=token_id in eos_ids)
