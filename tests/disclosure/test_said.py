"""The words of the private context that a reply is the first to say."""

from __future__ import annotations

from hypothesis import given

from app.disclosure.said import first_said
from app.disclosure.words import words
from app.profiles.profile import Preference
from app.prompts.message import Message, ToolCall
from app.prompts.private import PrivateContext
from disclosure.people import ISABEL, MESSAGES, PEOPLE, TEXTS, wrote

PRIVATE = PrivateContext(
    ISABEL, (wrote("Kelp and urchins.", title="unread", request="北京市?"),), (Preference("Rhyme"),)
)


def test_words_that_the_reply_says_first() -> None:
    asked = [Message("user", "What of urchins?", "Al"), Message("assistant", "The mill?")]
    reply = "Dear ISABÉL, the kelp of Bergen and the old mill: urchins rhyme, kelp, unread. 北京"
    assert first_said(PRIVATE, asked, reply) == ["isabel", "kelp", "bergen", "old", "rhyme", "北京"]


@given(PEOPLE, MESSAGES, TEXTS)
def test_all_of_them_are_the_reply_s_and_none_the_conversation_s(
    private: PrivateContext, messages: list[Message], reply: str
) -> None:
    found = first_said(private, messages, reply)
    said = "".join(words(reply))
    assert len(set(found)) == len(found)
    assert all(one in said for one in found)
    public = {word for one in messages for word in words(one.content)}
    assert public.isdisjoint(found)
    assert first_said(private, [*messages, Message("assistant", reply)], reply) == []
    assert first_said(PrivateContext(), messages, reply) == []


def test_a_character_by_itself_was_said_where_it_is_a_part_of_a_word() -> None:
    private = PrivateContext(preferences=(Preference("京"),))
    assert first_said(private, [Message("user", "北京")], "京") == []
    assert first_said(private, [Message("user", "北")], "京") == ["京"]


def test_what_a_call_or_its_result_says_the_conversation_has_said() -> None:
    call = ToolCall("call_1", "find_kelp", '{"near": ["Bergen"]}')
    asked = [Message("assistant", "", calls=(call,)), Message("tool", "urchins", answers="call_1")]
    assert first_said(PRIVATE, asked, "Kelp and urchins of Bergen rhyme.") == ["rhyme"]
