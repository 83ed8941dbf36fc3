"""Token ids of the public conversation: from the remote, or tokenized here where that gives the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from app.errors import InvalidRequest
from app.prompts.message import Message
from app.remote.interface import RemoteModel
from app.tokenization.tokenizer import Tokenizer

# Conversations on which chat templates differ: system message or none, order of turns, white space.
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
    """Tokenizes conversations for the remote: on the device, where its chat template proves to be the same
    here. That saves a round trip before each reply."""

    def __init__(self, remote: RemoteModel, tokenizer: Tokenizer | None) -> None:
        """`tokenizer` tokenizes as the remote does; None where there is no such tokenizer on the device."""
        self._remote = remote
        self._tokenizer = tokenizer
        self._here: Tokenizer | None = None
        self._texts: dict[str, Sequence[int]] = {}

    @property
    def rendered_here(self) -> bool:
        """Whether, by the comparison, conversations are tokenized on the device."""
        return self._here is not None

    async def compare(self) -> None:
        """Check whether both sides tokenize CONVERSATIONS alike. Raises what the remote raises."""
        tokenizer = self._tokenizer
        # A template that writes the date may write another day's on the remote, sooner or later.
        if tokenizer is None or not tokenizer.has_template or tokenizer.dated:
            return

        async def here(conversation: Sequence[Message]) -> list[int]:
            return await asyncio.to_thread(tokenizer.chat, conversation)

        try:
            async with asyncio.TaskGroup() as group:
                theirs = [group.create_task(_tried(self._remote.tokenize, one)) for one in CONVERSATIONS]
                ours = [group.create_task(_tried(here, one)) for one in CONVERSATIONS]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        if [task.result() for task in theirs] == [task.result() for task in ours]:
            self._here = tokenizer

    async def of_texts(self, texts: Sequence[str]) -> Mapping[str, Sequence[int]]:
        """The ids of some texts without a template: a few that are the same for everybody, and are kept.

        Raises what the remote raises.
        """
        unknown = [text for text in dict.fromkeys(texts) if text not in self._texts]
        if self._tokenizer is not None:
            self._texts |= {text: self._tokenizer.encode(text) for text in unknown}
        elif unknown:
            try:
                async with asyncio.TaskGroup() as group:
                    asked = {one: group.create_task(self._remote.tokenize_text(one)) for one in unknown}
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            self._texts |= {text: task.result() for text, task in asked.items()}
        return {text: self._texts[text] for text in texts}

    async def ids(self, messages: Sequence[Message], *, continue_final: bool = False) -> list[int]:
        """Prompt ids, open for the assistant's reply or for more of the final message.

        Raises InvalidRequest when the template refuses the conversation, and what the remote raises.
        """
        # What CONVERSATIONS do not cover is left to the remote.
        if self._here is not None and not continue_final and all(one.name is None for one in messages):
            return await asyncio.to_thread(self._here.chat, messages)
        return await self._remote.tokenize(messages, continue_final=continue_final)


async def _tried(
    render: Callable[[Sequence[Message]], Awaitable[list[int]]], conversation: Sequence[Message]
) -> list[int] | None:
    """The ids, or None for a conversation that the template refuses."""
    try:
        return await render(conversation)
    except InvalidRequest:
        return None
