"""Calls of tools in local prompts: in both prompts of a pair where the template holds them, else in none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import FakeTokenizer
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.profile import Preference
from app.prompts.local_prompts import LocalPrompts, local_prompts
from app.prompts.message import Message, ToolCall
from app.prompts.private import PrivateContext, PrivateMessage, about_person, about_replies
from app.prompts.template import has_calls, holds_calls, rendered, without_calls
from app.tokenization.tokenizer import Tokenizer
from prompts.test_template import (
    ALTERNATE,
    CHATML,
    KEEPS_ALL,
    TokenizerOf,
    expected,
    marks,
    person,
    tokenizer_of,
)

__all__ = ["tokenizer_of"]  # the fixture

# As Qwen 2.5's: calls as JSON in tags, results of one turn as one message of the user.
QWEN = (
    "{% for m in messages %}"
    "{% if m.role == 'assistant' and m.tool_calls %}{{ '<|im_start|>assistant' }}"
    "{% if m.content %}{{ '\n' + m.content }}{% endif %}"
    "{% for call in m.tool_calls %}{% set f = call.function %}"
    "{{ '\n<tool_call>\n' }}"
    "{{ '{\"name\": \"' + f.name + '\", \"arguments\": ' + f.arguments | tojson + '}' }}"
    "{{ '\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}"
    "{% elif m.role == 'tool' %}"
    "{% if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}"
    "{{ '\n<tool_response>\n' + m.content + '\n</tool_response>' }}"
    "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\n' }}{% endif %}"
    "{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# As Qwen 3 Coder's: each argument in a tag.
TAGS = QWEN.replace(
    "'{\"name\": \"' + f.name + '\", \"arguments\": ' + f.arguments | tojson + '}' }}",
    "'<function=' + f.name + '>\n' }}{% for name, value in f.arguments | items %}"
    "{{ '<parameter=' + name + '>\n' + (value | string) + '\n</parameter>\n' }}{% endfor %}</function>",
)
assert TAGS != QWEN
# As Mistral's: the user and the assistant's texts alternate, calls and results between them.
MISTRAL = (
    "{% set ns = namespace(turns=0) %}{% for m in messages %}"
    "{% if m.role == 'user' or (m.role == 'assistant' and not m.tool_calls) %}"
    "{% if (m.role == 'user') != (ns.turns % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{% set ns.turns = ns.turns + 1 %}{% endif %}"
    "{% if m.role == 'system' %}{{ '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}"
    "{% elif m.role == 'user' %}{{ '[INST]' + m.content + '[/INST]' }}"
    "{% elif m.role == 'tool' %}{{ '[TOOL_RESULTS]' + m.content + '[/TOOL_RESULTS]' }}"
    "{% elif m.tool_calls %}{{ m.content }}{% for call in m.tool_calls %}"
    "{{ '[TOOL_CALLS]' + call.function.name + '[ARGS]' + call.function.arguments | tojson }}{% endfor %}"
    "{{ '</s>' }}"
    "{% else %}{{ ' ' + m.content + '</s>' }}{% endif %}{% endfor %}"
)
# As Llama 3.1's, which takes one call at once.
ONE_CALL = (
    "{% for m in messages %}{{ '<|start_header_id|>' + ('ipython' if m.role == 'tool' else m.role) + "
    "'<|end_header_id|>\n\n' }}{% if m.tool_calls %}"
    "{% if m.tool_calls | length != 1 %}{{ raise_exception('Only single tool-calls at once!') }}{% endif %}"
    "{% set f = m.tool_calls[0].function %}"
    "{{ m.content + '{\"name\": \"' + f.name + '\", \"parameters\": ' + f.arguments | tojson + '}' }}"
    "{% else %}{{ m.content | trim }}{% endif %}{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
# As DeepSeek R1's, which adds the arguments to a text, and fails since they are an object.
ADDS = CHATML.replace("m.content", "m.content + (m.tool_calls[0].function.arguments if m.tool_calls else '')")
HOLD = {"Qwen 2.5": QWEN, "Qwen 3 Coder": TAGS, "Mistral": MISTRAL}
DROP = {
    **KEEPS_ALL,
    "DeepSeek R1": ADDS,
    "alternating": "{% for m in messages %}" + ALTERNATE + "{{ m.content }}{% endfor %}",
}
WISHES = (Preference("#wish", "#unwished"),)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("aä\"\\\n é日<'", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab é", max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def call(number: int) -> ToolCall:
    return ToolCall(
        f"call_{number:05}", f"#look_up{number}", json.dumps({f"#key{number}": f"#value{number}"})
    )


def said_by(one: ToolCall) -> list[str]:
    return [one.name, *one.values()]


def agent(*, calls: int = 1, text: str = "", system: bool = False, answered: bool = True) -> list[Message]:
    """A question, calls for it with their results, an answer, and another question."""
    made = tuple(call(number) for number in range(calls))
    return [
        *([Message("system", "#system")] if system else []),
        Message("user", "#question0"),
        Message("assistant", text, calls=made),
        *(Message("tool", f"#result{number}", answers=one.id) for number, one in enumerate(made)),
        *([Message("assistant", "#reply0"), Message("user", "#question1")] if answered else []),
    ]


def all_of(messages: Sequence[Message]) -> list[Message]:
    """The conversation with each mark of a call as a message of its own, as `expected` takes it."""
    return [
        Message(one.role, mark)
        for one in messages
        for mark in [one.content, *(mark for made in one.calls for mark in said_by(made))]
        if mark
    ]


def read(tokenizer: Tokenizer, private: PrivateContext, messages: Sequence[Message]) -> LocalPrompts:
    return local_prompts(private, messages, tokenizer, 10_000)


AGENTS = st.builds(
    lambda calls, text, system, answered: agent(calls=calls, text=text, system=system, answered=answered),
    st.integers(1, 3),
    st.sampled_from(["", "#thinking_aloud"]),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.parametrize("family", HOLD)
@given(AGENTS, st.integers(0, 2))
def test_where_the_template_holds_calls_they_are_read_whole_and_in_their_order(
    tokenizer_of: TokenizerOf, family: str, messages: list[Message], texts: int
) -> None:
    private = person(texts)
    (pair,) = read(tokenizer_of(HOLD[family]), private, messages).pairs
    assert marks(pair.aware.text) == expected(private, all_of(messages))
    assert marks(pair.agnostic.text) == [one.content for one in all_of(messages)]


@pytest.mark.parametrize("family", DROP)
@given(AGENTS, st.integers(0, 2))
def test_where_it_does_not_all_else_is_read(
    tokenizer_of: TokenizerOf, family: str, messages: list[Message], texts: int
) -> None:
    private, left = person(texts), [one for one in messages if one.role != "tool"]
    texts_alone = [Message(one.role, one.content) for one in left if one.content]
    tokenizer = tokenizer_of(DROP[family])
    (pair,) = read(tokenizer, private, messages).pairs
    assert pair == read(tokenizer, private, texts_alone).pairs[0]
    if family in KEEPS_ALL:
        assert marks(pair.aware.text) == expected(private, texts_alone)


@pytest.mark.parametrize("family", [*HOLD, *KEEPS_ALL])
@given(AGENTS)
def test_the_prompts_of_a_pair_differ_in_the_private_text_alone(
    tokenizer_of: TokenizerOf, family: str, messages: list[Message]
) -> None:
    tokenizer = tokenizer_of((HOLD | KEEPS_ALL)[family])
    private = replace(person(2), preferences=WISHES)
    about, wished = read(tokenizer, private, messages).pairs
    known = set(expected(private, []))
    public = [mark for mark in marks(about.aware.text) if mark not in known]
    assert public == marks(about.agnostic.text)
    assert wished.aware.text.replace("#wish", "#unwished") == wished.agnostic.text


def test_calls_at_once_that_a_template_refuses_are_left_out_of_all_prompts(tokenizer_of: TokenizerOf) -> None:
    tokenizer, private = tokenizer_of(ONE_CALL), replace(person(1), preferences=WISHES)
    for calls, held in ((1, True), (2, False)):
        for pair in read(tokenizer, private, agent(calls=calls)).pairs:
            for prompt in (pair.aware, pair.agnostic):
                assert ("#look_up0" in prompt.text, "#result0" in prompt.text) == (held, held)


def test_what_one_prompt_cannot_hold_is_in_none(tokenizer_of: TokenizerOf) -> None:
    """This template drops the calls of long conversations, as the aware prompt's is with its texts."""
    fickle = QWEN.replace("and m.tool_calls", "and m.tool_calls and messages | length < 6", 1)
    (pair,) = read(tokenizer_of(fickle), person(1), agent()).pairs
    assert "#look_up0" not in pair.aware.text + pair.agnostic.text
    assert "#result0" not in pair.aware.text + pair.agnostic.text


@pytest.mark.parametrize("family", HOLD)
@given(st.integers(0, 2))
def test_a_conversation_with_calls_goes_on_as_before(
    tokenizer_of: TokenizerOf, family: str, texts: int
) -> None:
    tokenizer, private = tokenizer_of(HOLD[family]), person(texts)
    before, after = (
        rendered(tokenizer, about_person(messages, private))
        for messages in (agent(calls=2, answered=False), agent(calls=2))
    )
    assert after.startswith(before.removesuffix("<|im_start|>assistant\n"))


@pytest.mark.parametrize("family", [*HOLD, *KEEPS_ALL])
def test_a_reply_that_is_begun_behind_a_result_is_left_open(tokenizer_of: TokenizerOf, family: str) -> None:
    messages = [*agent(answered=False), Message("assistant", "#begun")]
    tokenizer = tokenizer_of((HOLD | KEEPS_ALL)[family])
    text = rendered(tokenizer, about_person(messages, person(1)), continue_final=True)
    assert text.endswith("#begun")


@given(st.dictionaries(st.text("ab é", max_size=4), JSON, max_size=3))
def test_a_call_is_known_by_name_and_arguments_in_each_form(
    tokenizer_of: TokenizerOf, arguments: object
) -> None:
    made = ToolCall("call_1", "look_up", json.dumps(arguments))
    letter = about_replies(
        [Message("user", "#question"), Message("assistant", "", calls=(made,)), Message("tool", "#result")],
        (),
    )
    text = tokenizer_of(QWEN).render(letter)
    assert holds_calls(text, letter)
    assert not holds_calls(text.replace("look_up", "look"), letter)
    assert not holds_calls(text.replace("#result", ""), letter)


@pytest.mark.parametrize("arguments", ["", "no JSON", '{"a": ', "[" * 100_000])
def test_arguments_that_are_no_json_are_read_as_they_are(tokenizer_of: TokenizerOf, arguments: str) -> None:
    made = ToolCall("call_1", "look_up", arguments)
    letter = about_replies([Message("user", "Hi"), Message("assistant", "", calls=(made,))], ())
    assert list(made.values()) == [arguments]
    assert holds_calls(rendered(tokenizer_of(QWEN), letter), letter)


def test_neighbours_are_joined_with_their_calls_but_not_over_a_call_or_a_result(
    tokenizer_of: TokenizerOf,
) -> None:
    one, other = call(0), call(1)
    strict = "{% for m in messages %}{% if not loop.first and m.role != 'tool' and "
    strict += (
        "m.role == messages[loop.index0 - 1].role %}{{ raise_exception('twice') }}{% endif %}{% endfor %}"
        + QWEN
    )
    letter = [
        PrivateMessage("user", "#question"),
        PrivateMessage("assistant", "#aloud"),
        PrivateMessage("assistant", "", calls=(one,)),
        PrivateMessage("assistant", "", calls=(other,)),
        PrivateMessage("tool", "#result0", answers=one.id),
        PrivateMessage("tool", "#result1", answers=other.id),
    ]
    text = rendered(tokenizer_of(strict), letter)
    assert holds_calls(text, letter)
    assert "assistant\n#aloud\n<tool_call>" in text
    assert text.count("<tool_response>") == 2


def test_of_nothing_but_calls_an_empty_question_is_left() -> None:
    messages = agent(answered=False)[1:]
    assert has_calls(messages)
    assert without_calls(messages) == [Message("user", "")]
    assert without_calls(agent(text="#aloud"))[1] == Message("assistant", "#aloud")


def test_prompts_without_calls_are_rendered_once_each() -> None:
    """What calls need is tried for conversations with calls alone."""

    class Counting(FakeTokenizer):
        count = 0

        def render(self, messages, *, continue_final=False, **how):  # type: ignore[no-untyped-def]
            self.count += any(one.content == "#question" for one in messages)
            return super().render(messages, continue_final=continue_final, **how)

    tokenizer = Counting()
    read(tokenizer, person(1), [Message("user", "#question")])
    assert tokenizer.count == 2
