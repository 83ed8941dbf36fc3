"""The public conversation is rendered on the device only where the remote would render it alike."""

from collections.abc import Sequence
from typing import Any

import pytest
from fakes import FakeRemote, FakeTokenizer

from app.errors import InvalidRequest
from app.prompts.message import Message, Tool, ToolCall
from app.remote.prompt import PublicPrompt

HELLO = (Message("system", "Be kind."), Message("user", "Hello?"))


@pytest.fixture
def tokenizer() -> FakeTokenizer:
    found = FakeTokenizer()
    found.dated = False
    return found


async def handed(remote: FakeRemote, public: PublicPrompt, *messages: Message, **how: Any) -> bool:
    """Whether the remote is asked to render the conversation. The ids are right in any case."""
    await public.compare()
    remote.handed.clear()
    assert await public.ids(messages, **how) == remote.tokenizer.chat(messages, **how)
    return bool(remote.handed)


async def test_where_both_are_alike_a_conversation_costs_no_request(tokenizer: FakeTokenizer) -> None:
    remote = FakeRemote()
    assert not await handed(remote, PublicPrompt(remote, tokenizer), *HELLO)


async def test_what_was_not_compared_is_the_remotes_to_render(tokenizer: FakeTokenizer) -> None:
    remote = FakeRemote()
    public = PublicPrompt(remote, tokenizer)
    assert await handed(remote, public, Message("user", "Hello?", name="Ann"))
    assert await handed(remote, public, *HELLO, Message("assistant", "And"), continue_final=True)


async def test_a_template_that_writes_the_date_is_the_remotes(tokenizer: FakeTokenizer) -> None:
    tokenizer.dated = True
    remote = FakeRemote()
    assert await handed(remote, PublicPrompt(remote, tokenizer), *HELLO)


async def test_a_remote_with_another_template_renders_its_own(tokenizer: FakeTokenizer) -> None:
    class Other(FakeTokenizer):
        def render(self, messages: Sequence[Any], **how: Any) -> str:
            return "\ue001Today is fine.\ue000" + super().render(messages, **how)

    remote = FakeRemote()
    remote.tokenizer = Other()
    assert await handed(remote, PublicPrompt(remote, tokenizer), *HELLO)


@pytest.mark.parametrize("both", [True, False])
async def test_a_refusal_counts_as_an_answer(tokenizer: FakeTokenizer, both: bool) -> None:
    class Refusing(FakeTokenizer):
        dated = False

        def render(self, messages: Sequence[Any], **how: Any) -> str:
            if any(isinstance(one, Message) and one.content == "Be brief.\n" for one in messages):
                raise InvalidRequest("no system messages")
            return super().render(messages, **how)

    remote = FakeRemote()
    remote.tokenizer = Refusing()
    ours = Refusing() if both else tokenizer
    ours.dated = False
    assert await handed(remote, PublicPrompt(remote, ours), *HELLO) == (not both)


async def test_without_a_tokenizer_here_the_remote_renders(tokenizer: FakeTokenizer) -> None:
    remote = FakeRemote()
    assert await handed(remote, PublicPrompt(remote, None), *HELLO)
    tokenizer.has_template = False
    assert await handed(remote, PublicPrompt(remote, tokenizer), *HELLO)


TOOL = {"type": "function", "function": {"name": "look_up"}}
CALLED = (
    *HELLO,
    Message("assistant", "", calls=(ToolCall("a", "look_up", '{"word": "tree"}'),)),
    Message("tool", "Green.", answers="a"),
)


@pytest.mark.parametrize(("messages", "tools"), [(HELLO, (TOOL,)), (CALLED, ()), (CALLED, (TOOL,))])
async def test_with_tools_both_sides_are_compared_once_and_only_where_there_are_any(
    tokenizer: FakeTokenizer, messages: Sequence[Message], tools: Sequence[Tool]
) -> None:
    remote = FakeRemote()
    public = PublicPrompt(remote, tokenizer)
    assert not await handed(remote, public, *HELLO)
    assert await handed(remote, public, *messages, tools=tools)
    await public.compare()
    assert not await handed(remote, public, *messages, tools=tools)


async def test_a_remote_that_writes_tools_anew_renders_them_and_nothing_else(
    tokenizer: FakeTokenizer,
) -> None:
    class Other(FakeTokenizer):
        def render(self, messages: Sequence[Any], **how: Any) -> str:
            tools = [{**tool, "strict": None} for tool in how.get("tools", ())]
            return super().render(messages, **{**how, "tools": tools})

    remote = FakeRemote()
    remote.tokenizer = Other()
    public = PublicPrompt(remote, tokenizer)
    for _ in range(2):
        assert await handed(remote, public, *HELLO, tools=(TOOL,))
    await public.ids(CALLED)
    assert not await handed(remote, public, *CALLED)


async def test_arguments_that_are_no_object_are_the_remotes_to_render(tokenizer: FakeTokenizer) -> None:
    remote = FakeRemote()
    public = PublicPrompt(remote, tokenizer)
    odd = Message("assistant", "", calls=(ToolCall("a", "look_up", "tree"),))
    for _ in range(2):
        assert await handed(remote, public, *HELLO, odd)
