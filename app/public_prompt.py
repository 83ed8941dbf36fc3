"""Token ids of the public conversation: cut by the remote, or here where that gives the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from app.alignment import PROBES, first_difference
from app.draft import RemoteModel
from app.errors import InvalidRequest, TokenizerMismatch
from app.prompts import Message
from app.tokenizer import Tokenizer

# Conversations on which chat templates differ: system message or none, whose turn it was, white space.
CONVERSATIONS = (
    (Message("user", "Hello, who are you?"),),
    (Message("system", "Be brief.\n"), Message("user", "  Why is the sky blue, Zoë?\n\n")),
    (Message("user", "One?"), Message("assistant", " Two. \n"), Message("user", "Three?")),
    (
        Message("system", "You know numbers."),
        Message("user", "1"),
        Message("assistant", "<b>2</b>"),
        Message("user", "3"),
        Message("assistant", "4"),
        Message("user", "5"),
    ),
)


class PublicPrompt:
    """Renders conversations for the remote: on the device, where its template and vocabulary are found to be
    the same as here. That saves a round trip before each reply."""

    def __init__(self, remote: RemoteModel, tokenizer: Tokenizer) -> None:
        self._remote = remote
        self._tokenizer = tokenizer
        self._checked = False
        self._alike = False

    @property
    def rendered_here(self) -> bool:
        """Whether, by the check, conversations are rendered on the device."""
        return self._alike

    async def check(self) -> None:
        """Compare both sides, once. Raises TokenizerMismatch, and what the remote raises."""
        if self._checked:
            return
        try:
            async with asyncio.TaskGroup() as group:
                cut = [group.create_task(self._cut(text)) for text in PROBES]
                theirs = [group.create_task(_tried(self._remote.tokenize, one)) for one in CONVERSATIONS]
                ours = [group.create_task(_tried(self._here, one)) for one in CONVERSATIONS]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        here = [self._tokenizer.encode(text) for text in PROBES]
        if first_difference([task.result() for task in cut], here) is not None:
            raise TokenizerMismatch(
                "The remote's tokenizer is not the local model's. Set COSTEER_LOCAL_MODEL to a small model "
                "of the remote's own family."
            )
        # A template that writes the date may be of another day over there, sooner or later.
        alike = [task.result() for task in theirs] == [task.result() for task in ours]
        self._alike = alike and not self._tokenizer.dated
        self._checked = True

    async def ids(self, messages: Sequence[Message], *, continue_final: bool = False) -> list[int]:
        """Prompt ids, open for the assistant's reply or for more of the final message.

        Raises InvalidRequest when the template refuses the conversation, and what the remote raises.
        """
        await self.check()
        # What CONVERSATIONS do not cover is the remote's to say.
        if self._alike and not continue_final and all(message.name is None for message in messages):
            return await self._here(messages)
        return await self._remote.tokenize(messages, continue_final=continue_final)

    async def _cut(self, text: str) -> list[int]:
        return await self._remote.tokenize_text(text)

    async def _here(self, messages: Sequence[Message]) -> list[int]:
        return await asyncio.to_thread(self._tokenizer.chat, messages)


async def _tried(
    render: Callable[[Sequence[Message]], Awaitable[list[int]]], conversation: Sequence[Message]
) -> list[int] | None:
    """The ids, or None for a conversation that the template refuses."""
    try:
        return await render(conversation)
    except InvalidRequest:
        return None
