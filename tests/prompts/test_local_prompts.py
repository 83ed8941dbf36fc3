"""All prompts in tokens: what is in them, how many there are, and what a longer conversation reuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import LOUD, LOUD_HISTORY, FakeTokenizer, as_hits
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.profile import HistoryItem, Hit, Preference
from app.prompts.local_prompts import LocalPrompts, ReadPrompt, common_beginning, local_prompts
from app.prompts.message import Message
from app.prompts.private import PrivateContext

TOKENIZER = FakeTokenizer()
ROOM = 10_000
WISHES = (Preference("Be brief.", "Be thorough."), Preference("Joke."))
PERSON = PrivateContext(LOUD, as_hits([*LOUD_HISTORY, HistoryItem("", "The lamp is lit.")]), WISHES)
PEOPLE = st.builds(
    PrivateContext,
    st.none() | st.just(LOUD),
    st.sampled_from([(), PERSON.history[:1], PERSON.history]),
    st.sampled_from([(), WISHES[:1], WISHES]),
)
TEXT = st.text("ab ü\n", min_size=1, max_size=20)
SYSTEM = st.lists(st.builds(Message, st.just("system"), TEXT), max_size=1)
TALK = st.lists(
    st.tuples(st.builds(Message, st.just("user"), TEXT), st.builds(Message, st.just("assistant"), TEXT)),
    min_size=1,
    max_size=4,
)


def prompts(
    private: PrivateContext, messages: Sequence[Message], limit: int = ROOM, *, continued: bool = False
) -> LocalPrompts:
    return local_prompts(private, messages, TOKENIZER, limit, continue_final=continued)


def conversation(system: list[Message], talk: list[tuple[Message, Message]], turns: int) -> list[Message]:
    """Its first `turns` questions, with the replies to all but the last."""
    return [*system, *(one for pair in talk[:turns] for one in pair)][:-1]


def each(read: LocalPrompts) -> list[ReadPrompt]:
    return [prompt for pair in read.pairs for prompt in (pair.aware, pair.agnostic)]


def ids(prompt: ReadPrompt) -> list[int]:
    return list(prompt.prompt.ids)


@given(PEOPLE, SYSTEM, TALK, st.integers(0, 1200))
def test_no_prompt_has_more_private_tokens_than_the_limit(
    private: PrivateContext, system: list[Message], talk: list[tuple[Message, Message]], limit: int
) -> None:
    """However long the conversation is."""
    messages = conversation(system, talk, len(talk))
    read = prompts(private, messages, limit)
    plain = len(TOKENIZER.chat(messages))
    assert all(len(ids(prompt)) - plain <= limit for prompt in each(read))
    assert (read.pairs == ()) == (read.private == PrivateContext())
    assert 0 <= read.private_tokens <= limit
    assert (read.private_tokens == 0) == (read.pairs == ())


def test_a_long_conversation_has_preferences_behind_its_last_question_alone() -> None:
    """Repeated behind each, they would crowd the conversation out."""
    pairs = [(Message("user", f"Question {n}"), Message("assistant", f"Reply {n}")) for n in range(30)]
    private = PrivateContext(preferences=(Preference("Be brief, and as plain as can be."),))
    for turns, times in ((2, 3), (30, 2)):
        (pair,) = prompts(private, conversation([], pairs, turns), 150).pairs
        assert pair.aware.text.count("Be brief") == times
        assert "Be brief" in pair.aware.text.partition(f"Question {turns - 1}")[2]


def test_a_name_alone_is_not_read_but_with_what_they_wrote() -> None:
    named = replace(LOUD, fields=())
    messages = [Message("user", "Hi")]
    assert prompts(PrivateContext(named), messages).pairs == ()
    assert [one.about for one in prompts(PrivateContext(named, (), WISHES), messages).pairs] == [
        "preferences"
    ]
    (pair,) = prompts(PrivateContext(named, PERSON.history), messages).pairs
    assert LOUD.name in pair.aware.text


@pytest.mark.parametrize("limit", [0, 5, 10, 20, 40])
def test_opposites_keep_the_limit_too(limit: int) -> None:
    """One may be longer than what it is the opposite of."""
    private = PrivateContext(preferences=(Preference("Short.", "At great length, and then some more."),))
    messages = [Message("user", "Hi")]
    read = prompts(private, messages, limit)
    assert all(len(ids(one)) - len(TOKENIZER.chat(messages)) <= limit for one in each(read))


@given(PEOPLE, SYSTEM, TALK)
def test_a_pair_reads_what_it_is_about_and_nothing_else(
    private: PrivateContext, system: list[Message], talk: list[tuple[Message, Message]]
) -> None:
    messages = conversation(system, talk, len(talk))
    read = prompts(private, messages)
    person = prompts(replace(private, preferences=()), messages)
    wished = prompts(PrivateContext(preferences=private.preferences), messages)
    assert read.private == private
    assert read.pairs == (*person.pairs, *wished.pairs)
    for pair in person.pairs:
        assert ids(pair.agnostic) == TOKENIZER.chat(messages)


@given(PEOPLE, SYSTEM, TALK)
def test_the_text_of_a_prompt_is_what_its_tokens_say(
    private: PrivateContext, system: list[Message], talk: list[tuple[Message, Message]]
) -> None:
    read = prompts(private, conversation(system, talk, len(talk)))
    assert all(TOKENIZER.encode(prompt.text) == ids(prompt) for prompt in each(read))
    assert [one.aware.ids for one in read.contrasts()] == [pair.aware.prompt.ids for pair in read.pairs]


def test_preferences_need_no_profile() -> None:
    (pair,) = prompts(PrivateContext(preferences=WISHES), [Message("user", "Hi")]).pairs
    assert TOKENIZER.decode(ids(pair.aware)) == "Be brief. Joke.Hi\n\nBe brief. Joke."
    assert TOKENIZER.decode(ids(pair.agnostic)) == "Be thorough.Hi\n\nBe thorough."


@given(PEOPLE, SYSTEM, TALK)
def test_the_next_turn_s_prompts_begin_with_this_one_s(
    private: PrivateContext, system: list[Message], talk: list[tuple[Message, Message]]
) -> None:
    """Their KV caches serve again."""
    whole = prompts(private, conversation(system, talk, len(talk)))
    for turns in range(1, len(talk)):
        before = prompts(private, conversation(system, talk, turns))
        for one, other in zip(each(before), each(whole), strict=True):
            assert ids(other)[: len(ids(one))] == ids(one)


@pytest.mark.parametrize("limit", [100, 300, 500])
def test_a_long_conversation_keeps_what_its_first_turn_read(limit: int) -> None:
    """However many turns there are, the person is not crowded out by their own preferences."""
    pairs = [(Message("user", f"Question {n}"), Message("assistant", f"Reply {n}")) for n in range(30)]
    first = prompts(PERSON, conversation([], pairs, 1), limit)
    assert first.private != PrivateContext()
    for turns in (2, 10, 30):
        assert prompts(PERSON, conversation([], pairs, turns), limit).private == first.private


@given(PEOPLE, SYSTEM, TALK, st.integers(0, 1200))
def test_what_fits_does_not_depend_on_the_conversation(
    private: PrivateContext, system: list[Message], talk: list[tuple[Message, Message]], limit: int
) -> None:
    fixed = prompts(private, [Message("user", "Hi")], limit).private
    assert prompts(private, conversation(system, talk, len(talk)), limit).private == fixed


@pytest.mark.parametrize("limit", [200, ROOM])
def test_a_conversation_is_read_once_for_each_prompt_however_much_is_tried_to_fit(limit: int) -> None:
    """It may be long: what fits is counted without it."""

    class Counting(FakeTokenizer):
        read = 0

        def encode(self, text: str) -> list[int]:
            self.read += "the conversation" in text
            return super().encode(text)

    tokenizer = Counting()
    many = replace(PERSON, history=as_hits([HistoryItem("", f"Text {number}.") for number in range(20)]))
    found = local_prompts(many, [Message("user", "the conversation")], tokenizer, limit)
    assert tokenizer.read <= len(each(found)) + 1


@given(PEOPLE, TEXT)
def test_a_reply_that_is_begun_goes_on_in_every_prompt(private: PrivateContext, begun: str) -> None:
    messages = [Message("user", "Hi"), Message("assistant", begun)]
    read = prompts(private, messages, continued=True)
    assert all(prompt.text.endswith(begun) for prompt in each(read))


@pytest.mark.parametrize("system", [None, "Answer in verse."])
@pytest.mark.parametrize("history", [(), PERSON.history])
@pytest.mark.parametrize("wishes", [(), WISHES])
def test_the_beginning_is_common_to_all_prompts_and_holds_the_whole_profile(
    system: str | None, history: tuple[Hit, ...], wishes: tuple[Preference, ...]
) -> None:
    beginning = common_beginning(replace(LOUD, preferences=wishes), TOKENIZER, 2000)
    assert beginning is not None
    messages = [Message("system", system)] if system else []
    private = PrivateContext(LOUD, history, wishes)
    person = prompts(private, [*messages, Message("user", "Dinner?")], 2000).pairs[0]
    assert person.about == "person"
    assert person.aware.prompt.ids[: len(beginning.ids)] == beginning.ids
    text = TOKENIZER.decode(beginning.ids)
    assert all(value in text for value in (LOUD.name, *dict(LOUD.fields).values()))


def test_a_profile_of_which_nothing_fits_has_no_beginning() -> None:
    assert common_beginning(LOUD, TOKENIZER, 3) is None
    assert common_beginning(replace(LOUD, preferences=WISHES), TOKENIZER, 40) is None
