"""What the remote was told is found again in the conversation that a client sends back, and counted."""

from dataclasses import replace

from app.decoding.conversations import LONGEST, Conversations
from app.profiles.shelf import REPLIES
from app.prompts.message import Message, ToolCall

ASKED = (Message("user", "Hi"),)
CALL = ToolCall("call_1", "weather", '{"city": "Bath"}')
REPLY, TOLD = "Yours, Zoë", "Yours, [Your first name]"


def remembered() -> Conversations:
    conversations = Conversations()
    conversations.remember("zoe", REPLY, TOLD)
    return conversations


def test_a_reply_is_found_and_nobody_elses_and_no_other() -> None:
    assert remembered().as_told("zoe", REPLY) == TOLD
    assert remembered().as_told("ann", REPLY) is None
    assert remembered().as_told("zoe", "Yours, Zoe") is None


def test_clients_may_trim_it_and_their_blanks_stay() -> None:
    assert remembered().as_told("zoe", f" {REPLY}\n\n") == f" {TOLD}\n\n"
    conversations = Conversations()
    conversations.remember("zoe", "It is Zoë", "It is [Your first name] \n")
    assert conversations.as_told("zoe", "It is Zoë") == "It is [Your first name]"


def test_only_so_many_are_kept_and_none_that_is_too_long() -> None:
    conversations = Conversations()
    for number in range(REPLIES.most + 1):
        conversations.remember("zoe", str(number), TOLD)
    found = [number for number in range(REPLIES.most + 1) if conversations.as_told("zoe", str(number))]
    assert found == [*range(1, REPLIES.most + 1)]
    conversations.remember("zoe", "long", "x" * (LONGEST + 1))
    assert conversations.as_told("zoe", "long") is None


def test_what_was_told_adds_up_over_turns_branches_and_attempts() -> None:
    conversations = Conversations()
    conversations.spend("zoe", ASKED, 1.0)
    conversations.spend("zoe", ASKED, 0.5)  # written again, or broken off
    further = (*ASKED, Message("assistant", REPLY), Message("user", "And?"))
    assert conversations.nats("zoe", further) == 1.5
    conversations.spend("zoe", further, 2.0)
    assert conversations.nats("zoe", further) == 3.5
    assert conversations.nats("zoe", ASKED) == 1.5
    assert conversations.nats("ann", further) == 0.0


def test_a_border_between_messages_is_no_text_and_a_clock_in_front_changes_nothing() -> None:
    conversations = Conversations()
    conversations.spend("zoe", (Message("user", "a"), Message("user", "b")), 1.0)
    assert conversations.nats("zoe", (Message("user", "ab"),)) == 0.0
    late = (Message("system", "It is 10:01."), Message("user", "a"), Message("user", "b"))
    assert conversations.nats("zoe", late) == 1.0


def test_a_reply_that_went_on_with_a_call_is_found_by_its_text() -> None:
    """Clients send text and calls back in one message."""
    assert remembered().as_told("zoe", Message("assistant", REPLY, calls=(CALL,)).content) == TOLD


def test_conversations_that_differ_in_a_call_or_in_what_is_answered_are_told_apart() -> None:
    called = (*ASKED, Message("assistant", "", calls=(CALL,)), Message("tool", "Rain", answers="call_1"))
    conversations = Conversations()
    conversations.spend("zoe", called, 1.0)
    assert conversations.nats("zoe", (*called, Message("user", "And?"))) == 1.0
    for made in (replace(CALL, id="2"), replace(CALL, name="wind"), replace(CALL, arguments="{}")):
        assert conversations.nats("zoe", (*ASKED, replace(called[1], calls=(made,)), called[2])) == 0.0
    for calls in ((), (CALL, CALL)):
        assert conversations.nats("zoe", (*ASKED, replace(called[1], calls=calls), called[2])) == 0.0
    assert conversations.nats("zoe", (*called[:2], replace(called[2], answers="call_2"))) == 0.0
