"""One question and its reply, for the shell."""

from __future__ import annotations

from app.cli.chat.asking import ask, unless_interrupted
from app.cli.chat.client import Client
from app.cli.chat.conversation import Conversation
from app.cli.chat.reply import Reply
from app.cli.chat.screen import Screen
from app.cli.terminal import say, write_json


def joined(words: str, piped: str) -> str:
    """The question: what was typed, then what came by the pipe, with an empty line between them."""
    return "\n\n".join(part for part in (words.strip(), piped.strip("\r\n")) if part.strip())


async def answer(
    client: Client, conversation: Conversation, question: str, screen: Screen, *, as_json: bool = False
) -> bool:
    """Writes the reply to the standard output, as it comes or as JSON at the end. False: it was interrupted.
    Raises CoSteerError."""
    reply = conversation.new_reply()
    shown = None if as_json else screen
    whole = await unless_interrupted(ask(client, conversation, question, reply, shown, before=()))
    if as_json:
        write_json(told(conversation, reply))
    elif whole and reply.reason is not None and conversation.wishes.profile is not None:
        say(f"The reply was not steered: {reply.reason}.")
    return whole


def told(conversation: Conversation, reply: Reply) -> dict[str, object]:
    """The reply for programs; `costeer` are the totals of docs/api.md's detail."""
    return {
        "content": reply.text,
        "profile": conversation.wishes.profile,
        "seed": reply.seed,
        "finish_reason": reply.finish_reason,
        "stopped": reply.stopped,
        "costeer": reply.totals,
    }
