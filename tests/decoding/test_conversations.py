"""What the remote was told is found again in the conversation that a client sends back."""

from app.decoding.conversations import LONGEST, MOST, Conversations, Told
from app.prompts.message import Message

ASKED = (Message("user", "Hi"),)
REPLY = Message("assistant", "Yours, Zoë")
TOLD = Told("Yours, [Your first name]", 2.5)


def remembered() -> Conversations:
    conversations = Conversations()
    conversations.remember("zoe", ASKED, REPLY.content, TOLD)
    return conversations


def test_a_reply_is_found_where_it_stands() -> None:
    for further in ((), (Message("user", "And?"),)):
        assert remembered().find("zoe", (*ASKED, REPLY, *further)) == {1: TOLD}


def test_clients_may_trim_it() -> None:
    assert remembered().find("zoe", (*ASKED, Message("assistant", " Yours, Zoë\n"))) == {1: TOLD}


def test_nobody_elses_and_no_other_conversation_is() -> None:
    conversations = remembered()
    assert not conversations.find("ann", (*ASKED, REPLY))
    assert not conversations.find("zoe", (Message("user", "Hello"), REPLY))
    assert not conversations.find("zoe", (*ASKED, Message("assistant", "Yours, Zoe")))
    assert not conversations.find("zoe", (*ASKED, Message("user", REPLY.content)))


def test_a_border_between_messages_is_no_text() -> None:
    conversations = Conversations()
    conversations.remember("zoe", (Message("user", "a"), Message("user", "b")), "c", TOLD)
    assert not conversations.find("zoe", (Message("user", "ab"), Message("assistant", "c")))


def test_only_so_many_are_kept_and_none_that_is_too_long() -> None:
    conversations = Conversations()
    for number in range(MOST + 1):
        conversations.remember("zoe", ASKED, str(number), TOLD)
    found = [
        number
        for number in range(MOST + 1)
        if conversations.find("zoe", (*ASKED, Message("assistant", str(number))))
    ]
    assert found == [*range(1, MOST + 1)]
    conversations.remember("zoe", ASKED, "long", Told("x" * (LONGEST + 1), 0.0))
    assert not conversations.find("zoe", (*ASKED, Message("assistant", "long")))
