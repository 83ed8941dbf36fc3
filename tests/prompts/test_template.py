"""All that a prompt holds is rendered, in its order, by the chat templates of the main families."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fakes import as_hits
from hypothesis import given
from hypothesis import strategies as st
from tokenization.test_tokenizer import byte_level

from app.errors import InvalidRequest
from app.profiles.profile import HistoryItem, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateContext, PrivateMessage, about_person, about_replies
from app.prompts.template import rendered
from app.tokenization.tokenizer import Tokenizer

ALTERNATE = """{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"""
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3 = (
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim "
    "+ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA_TURNS = (
    "{% for m in turns %}"
    + ALTERNATE
    + "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    "{% if loop.first %}{{ first }}{% endif %}{{ m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
GEMMA_2 = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% set turns = messages %}{% set first = '' %}" + GEMMA_TURNS
)
GEMMA_3 = (
    "{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}"
    + GEMMA_TURNS
)
SYSTEM_APART = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
)
LLAMA_2 = (
    SYSTEM_APART + "{% for m in turns %}" + ALTERNATE + "{% if loop.index0 == 0 and system is defined %}"
    "{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m.content %}"
    "{% else %}{% set content = m.content %}{% endif %}"
    "{% if m.role == 'user' %}{{ '<s>[INST] ' + content | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + content | trim + ' </s>' }}{% endif %}{% endfor %}"
)
# The system message goes into the last turn of the user.
MISTRAL_3 = (
    SYSTEM_APART + "{% for m in turns %}" + ALTERNATE + "{% if m.role == 'user' %}"
    "{% if loop.last and system is defined %}{{ '[INST] ' + system + '\n\n' + m.content + '[/INST]' }}"
    "{% else %}{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}"
    "{% else %}{{ ' ' + m.content | trim + '</s>' }}{% endif %}{% endfor %}"
)
# As Phi-3's first templates: a system message is left out, and nothing said.
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role != 'system' %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
KEEPS_ALL = {
    "ChatML": CHATML,
    "Llama 3": LLAMA_3,
    "Gemma 2": GEMMA_2,
    "Gemma 3": GEMMA_3,
    "Llama 2": LLAMA_2,
    "Mistral v3": MISTRAL_3,
    "without system": NO_SYSTEM,
}
# As Qwen 3's: the reasoning of earlier replies is not read again.
FORGETFUL = {
    name: template.replace("m.content", "(m.content.split('</think>') | last)")
    for name, template in KEEPS_ALL.items()
    if name in {"ChatML", "Mistral v3", "without system"}
}

TokenizerOf = Callable[[str], Tokenizer]


@pytest.fixture(scope="module")
def tokenizer_of(tmp_path_factory: pytest.TempPathFactory) -> TokenizerOf:
    """A small tokenizer with a chat template; one for each template."""
    made: dict[str, Tokenizer] = {}

    def of(template: str) -> Tokenizer:
        if template not in made:
            folder: Path = tmp_path_factory.mktemp("tokenizer")
            made[template] = byte_level(folder, template)
        return made[template]

    return of


# Each part of a prompt is a mark of its own, so that the rendering shows which there are.


def person(texts: int, facts: int = 2) -> PrivateContext:
    fields = tuple((f"fact_{n}", f"#fact{n}") for n in range(facts))
    history = as_hits([HistoryItem(f"#title{n}", f"#text{n}") for n in range(texts)])
    return PrivateContext(Profile("ann", "#name", fields), history)


def talk(turns: int, *, system: bool = False, thought: str = "") -> list[Message]:
    """A conversation that ends with the user's question."""
    pairs = [
        one
        for n in range(turns)
        for one in (Message("user", f"#question{n}"), Message("assistant", f"{thought}#reply{n}"))
    ]
    return [*([Message("system", "#system")] if system else []), *pairs][:-1]


def marks(text: str) -> list[str]:
    return re.findall(r"#\w+", text)


def expected(private: PrivateContext, messages: Sequence[Message]) -> list[str]:
    """The marks, in the order in which they are to be read."""
    facts = ["#name", *dict(private.profile.fields).values()] if private.profile is not None else []
    texts = [mark for hit in private.history for mark in (hit.stored.item.title, hit.passage)]
    system = [one.content for one in messages if one.role == "system"]
    said = [one.content for one in messages if one.role != "system"]
    return [*facts, *system, *texts, *said]


@pytest.mark.parametrize("family", KEEPS_ALL)
@given(st.builds(person, st.integers(0, 3), st.integers(0, 3)), st.integers(1, 4), st.booleans())
def test_everything_is_rendered_once_and_in_its_order(
    tokenizer_of: TokenizerOf, family: str, private: PrivateContext, turns: int, system: bool
) -> None:
    messages = talk(turns, system=system)
    text = rendered(tokenizer_of(KEEPS_ALL[family]), about_person(messages, private))
    assert marks(text) == expected(private, messages)


@pytest.mark.parametrize("family", KEEPS_ALL)
@given(st.integers(1, 4), st.booleans())
def test_so_is_how_replies_should_be(
    tokenizer_of: TokenizerOf, family: str, turns: int, system: bool
) -> None:
    messages = talk(turns, system=system)
    text = rendered(tokenizer_of(KEEPS_ALL[family]), about_replies(messages, ["#wish"]))
    public = [one.content for one in messages]
    behind = [mark for said in public for mark in ([said, "#wish"] if "#question" in said else [said])]
    assert marks(text) == ["#wish", *behind]


@pytest.mark.parametrize("family", KEEPS_ALL)
@pytest.mark.parametrize(
    "roles", ["user user", "user user assistant assistant user", "user assistant user user"]
)
def test_turns_of_one_role_in_a_row_are_all_rendered(
    tokenizer_of: TokenizerOf, family: str, roles: str
) -> None:
    messages = [Message(role, f"#said{n}") for n, role in enumerate(roles.split())]
    for private in (person(0), person(2)):
        text = rendered(tokenizer_of(KEEPS_ALL[family]), about_person(messages, private))
        assert marks(text) == expected(private, messages)


@pytest.mark.parametrize("family", KEEPS_ALL)
@given(st.integers(0, 3), st.integers(1, 4), st.booleans())
def test_a_conversation_that_goes_on_is_rendered_as_before(
    tokenizer_of: TokenizerOf, family: str, texts: int, turns: int, system: bool
) -> None:
    tokenizer, private = tokenizer_of(KEEPS_ALL[family]), person(texts)
    before, after = (
        rendered(tokenizer, about_person(talk(count, system=system), private)) for count in (turns, turns + 1)
    )
    assert after.startswith(before)


@pytest.mark.parametrize("family", KEEPS_ALL)
@pytest.mark.parametrize("texts", [0, 2])
def test_a_reply_that_is_begun_is_left_open(tokenizer_of: TokenizerOf, family: str, texts: int) -> None:
    private, messages = person(texts), [*talk(2), Message("assistant", "#begun")]
    letter = about_person(messages, private)
    text = rendered(tokenizer_of(KEEPS_ALL[family]), letter, continue_final=True)
    assert text.endswith("#begun")
    assert marks(text) == expected(private, messages)


@pytest.mark.parametrize("family", FORGETFUL)
@pytest.mark.parametrize("system", [False, True])
def test_where_reasoning_is_dropped_all_else_is_there(
    tokenizer_of: TokenizerOf, family: str, system: bool
) -> None:
    private, messages = person(2), talk(3, system=system, thought="<think>#thought</think>")
    text = rendered(tokenizer_of(FORGETFUL[family]), about_person(messages, private))
    assert marks(text) == expected(private, talk(3, system=system))


@pytest.mark.parametrize("template", [GEMMA_2, GEMMA_3], ids=["Gemma 2", "Gemma 3"])
@pytest.mark.parametrize("texts", [0, 2])
@pytest.mark.parametrize("begins", ["user", "assistant"])
def test_who_says_what_stays(tokenizer_of: TokenizerOf, template: str, texts: int, begins: str) -> None:
    private, messages = person(texts), talk(2)[0 if begins == "user" else 1 :]
    text = rendered(tokenizer_of(template), about_person(messages, private))
    turns = re.findall(r"<start_of_turn>(\w+)\n(.*?)<end_of_turn>", text, re.DOTALL)
    by_model = [mark for role, content in turns if role == "model" for mark in marks(content)]
    said = [one.content for one in messages if one.role == "assistant"]
    assert by_model == [*(hit.passage for hit in private.history), *said]


@pytest.mark.parametrize("family", KEEPS_ALL)
@pytest.mark.parametrize("texts", [0, 2])
def test_names_that_a_template_does_not_show_keep_nothing_from_being_rendered(
    tokenizer_of: TokenizerOf, family: str, texts: int
) -> None:
    """Neighbours of one role but of two names are two turns, which strict templates refuse."""
    private = person(texts)
    messages = [Message("user", "#question0", "Ann"), Message("user", "#question1", "Bo")]
    text = rendered(tokenizer_of(KEEPS_ALL[family]), about_person(messages, private))
    assert marks(text) == expected(private, messages)


def test_what_a_template_renders_whole_is_left_as_it_is(tokenizer_of: TokenizerOf) -> None:
    letter = about_person([*talk(2, system=True), Message("user", "#more")], person(2))
    tokenizer = tokenizer_of(CHATML)
    assert rendered(tokenizer, letter) == tokenizer.render(letter)


@pytest.mark.parametrize("turns", [1, 3])
def test_what_a_template_refuses_in_all_shapes_is_an_invalid_request(
    tokenizer_of: TokenizerOf, turns: int
) -> None:
    tokenizer = tokenizer_of("{{ raise_exception('not today') }}")
    letter = about_person(talk(turns, system=True), person(1))
    with pytest.raises(InvalidRequest, match="not today") as refused:
        rendered(tokenizer, letter)
    assert refused.value.param == "messages"
    assert marks(str(refused.value)) == []


def test_a_system_message_alone_is_the_user_s_words_where_there_is_no_other_place(
    tokenizer_of: TokenizerOf,
) -> None:
    text = rendered(tokenizer_of(GEMMA_2), (PrivateMessage("system", "#system"),))
    assert text.startswith("<start_of_turn>user\n#system")


def test_one_in_the_middle_that_a_template_refuses_is_refused(tokenizer_of: TokenizerOf) -> None:
    letter = (
        PrivateMessage("user", "#question0"),
        PrivateMessage("assistant", "#reply0"),
        PrivateMessage("system", "#system"),
        PrivateMessage("user", "#question1"),
    )
    with pytest.raises(InvalidRequest):
        rendered(tokenizer_of(GEMMA_2), letter)
