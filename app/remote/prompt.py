"""Token ids of the public conversation: from the remote, or tokenized here where that gives the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson

from app.errors import InvalidRequest, RemoteRejected, TokenizerMismatch
from app.prompts.message import Message, Tool, ToolCall
from app.remote.hermes import is_object
from app.remote.interface import RemoteModel, counted, in_session
from app.remote.opening import Opening, learned
from app.tokenization.tokenizer import Tokenizer
from app.tokenization.vocabulary import Vocabulary

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
# A function that no client has, and calls of it.
PROBE: Tool = {
    "type": "function",
    "function": {
        "name": "look_up_probe",
        "description": "Look a word up.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    },
}
CALL = ToolCall("call_probe0", "look_up_probe", '{"word": "Zoë", "times": [1, 2.5, null]}')
ANOTHER = ToolCall("call_probe1", "look_up_probe", '{"word":"<b>"}')
ASKED, FOUND = Message("user", "One?"), Message("assistant", "Found.")
CALLED = Message("assistant", "", calls=(CALL,))
RESULT = Message("tool", ' {"found": "é"}\n', answers=CALL.id)
# Conversations on which chat templates differ once there are tools: calls with text or without, and results.
WITH_CALLS = (
    (ASKED,),
    (Message("system", "Be brief.\n"), ASKED, CALLED, RESULT),
    (
        ASKED,
        Message("assistant", "Let me see. ", calls=(CALL, ANOTHER)),
        RESULT,
        Message("tool", "", answers=ANOTHER.id),
        FOUND,
        Message("user", "And?"),
    ),
)
NAME_ONE = (
    "Set COSTEER_REMOTE_TOKENIZER to the folder or hub id of the model as it is served, with its chat "
    "template, or ask who runs the gateway before it to let /tokenize or the field return_token_ids through."
)
KEPT = 64  # lists of tools whose comparison is remembered


class PublicPrompt:
    """Tokenizes conversations for the remote: on the device, where its chat template proves to be the same
    here. That saves a round trip before each reply."""

    def __init__(
        self, remote: RemoteModel, tokenizer: Tokenizer | None, vocabulary: Vocabulary | None = None
    ) -> None:
        """`tokenizer` tokenizes as the remote does; None where there is no such tokenizer on the device.
        `vocabulary` is the remote's, as the tokenizer is where it is left out."""
        self._remote = remote
        self._tokenizer = tokenizer
        self._here: Tokenizer | None = None
        self._alone = False  # whether nobody but the tokenizer here tells token ids
        self._vocabulary = vocabulary or tokenizer
        self._texts: dict[str, Sequence[int]] = {}
        self._alike: dict[bytes, bool] = {}  # by lists of tools, written as JSON
        self._opening: tuple[Opening | None] | None = None

    @property
    def rendered_here(self) -> bool:
        """Whether, by the comparison, conversations are tokenized on the device."""
        return self._here is not None

    @property
    def alone(self) -> bool:
        """Whether the remote tells no token ids, so that all is tokenized on the device."""
        return self._alone

    async def trust(self) -> bool:
        """Render all here, since the remote tells no token ids. Whether it tells how many tokens
        CONVERSATIONS have. Raises TokenizerMismatch where it has another number, and what it raises."""
        tokenizer = self._tokenizer
        assert tokenizer is not None  # noqa: S101  # the caller has one
        if not tokenizer.has_template:
            raise TokenizerMismatch(
                f"The remote tells no token ids, and the tokenizer here has no chat template. {NAME_ONE}"
            )
        self._here, self._alone = tokenizer, True
        told = [await counted(self._remote, one) for one in CONVERSATIONS]
        ours = [len(await asyncio.to_thread(tokenizer.chat, one)) for one in CONVERSATIONS]
        if any(theirs not in (None, own) for theirs, own in zip(told, ours, strict=True)):
            raise TokenizerMismatch(
                "The remote's chat template is not that of the tokenizer here: the same conversations have "
                f"other numbers of tokens. {NAME_ONE}"
            )
        return None not in told

    async def compare(self) -> None:
        """Check whether both sides tokenize CONVERSATIONS alike. Raises what the remote raises."""
        tokenizer = self._tokenizer
        # A template that writes the date may write another day's on the remote, sooner or later.
        if tokenizer is None or not tokenizer.has_template or tokenizer.dated:
            return
        if await self._tokenized_alike(tokenizer, CONVERSATIONS, ()):
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

    async def ids(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        session: str | None = None,
    ) -> list[int]:
        """Prompt ids, open for the assistant's reply, which may call `tools`, or for more of the final
        message. `session`: of which conversation they are.

        Raises InvalidRequest when the template refuses the conversation, and what the remote raises.
        """
        # What the compared conversations do not cover is left to the remote.
        if self._here is not None and not continue_final and all(map(_covered, messages)):
            plain = self._alone or (
                not tools and all(one.role != "tool" and not one.calls for one in messages)
            )
            if plain or await self._alike_with(self._here, tools):
                return await asyncio.to_thread(self._here.chat, messages, tools=tools)
        remote = in_session(self._remote, session)
        return await self._rendered(remote, messages, continue_final=continue_final, tools=tools)

    async def _rendered(
        self,
        remote: RemoteModel,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        """By the remote; here, where that tells no token ids."""
        if self._here is None or not self._alone:
            return await remote.tokenize(messages, continue_final=continue_final, tools=tools, opens=opens)
        chat = self._here.chat
        return await asyncio.to_thread(
            chat, messages, continue_final=continue_final, tools=tools, opens=opens
        )

    async def opening(self, tools: Sequence[Tool]) -> Opening | None:
        """The tokens with which the remote's model begins a call, as its chat template has them; None where
        that has no calls, and without tools. Learnt once: which tools there are makes no difference.

        Raises what the remote raises.
        """
        if not tools:
            return None
        if self._opening is None:
            self._opening = (await self._learned(),)
        return self._opening[0]

    async def _learned(self) -> Opening | None:
        if self._vocabulary is None:
            return None
        try:
            prompt = await self._rendered(self._remote, (ASKED,), tools=(PROBE,))
            text = await self._rendered(self._remote, (ASKED, FOUND), tools=(PROBE,), opens=False)
            call = await self._rendered(self._remote, (ASKED, CALLED), tools=(PROBE,), opens=False)
        except (InvalidRequest, RemoteRejected):  # a template without calls may refuse them
            return None
        return learned(text, call, CALL.name, prompt, self._vocabulary)

    async def _alike_with(self, tokenizer: Tokenizer, tools: Sequence[Tool]) -> bool:
        """Whether both sides tokenize WITH_CALLS alike with these tools, whose fields the remote may write
        anew. Compared once for each list of tools."""
        key = orjson.dumps(list(tools))
        if key not in self._alike:
            alike = await self._tokenized_alike(tokenizer, WITH_CALLS, tools)
            while len(self._alike) >= KEPT:
                self._alike.pop(next(iter(self._alike)))
            self._alike[key] = alike
        return self._alike[key]

    async def _tokenized_alike(
        self, tokenizer: Tokenizer, conversations: Sequence[Sequence[Message]], tools: Sequence[Tool]
    ) -> bool:
        """Whether both sides tokenize the conversations alike. Raises what the remote raises."""

        async def here(conversation: Sequence[Message]) -> list[int]:
            return await asyncio.to_thread(tokenizer.chat, conversation, tools=tools)

        async def there(conversation: Sequence[Message]) -> list[int]:
            return await self._remote.tokenize(conversation, tools=tools)

        try:
            async with asyncio.TaskGroup() as group:
                theirs = [group.create_task(_tried(there, one)) for one in conversations]
                ours = [group.create_task(_tried(here, one)) for one in conversations]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in theirs] == [task.result() for task in ours]


def _covered(message: Message) -> bool:
    """Whether the compared conversations stand for a message; not for arguments that are no object."""
    return message.name is None and all(is_object(call.arguments) for call in message.calls)


async def _tried(
    render: Callable[[Sequence[Message]], Awaitable[list[int]]], conversation: Sequence[Message]
) -> list[int] | None:
    """The ids, or None for a conversation that the template refuses."""
    try:
        return await render(conversation)
    except (InvalidRequest, RemoteRejected):
        return None
