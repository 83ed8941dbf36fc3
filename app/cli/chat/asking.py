"""Has a reply written, and shows it as it comes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from contextlib import aclosing, suppress
from typing import Any

from app.cli.chat.client import Client
from app.cli.chat.conversation import Conversation, Exchange
from app.cli.chat.reply import Piece, Reply
from app.cli.chat.screen import Screen
from app.cli.chat.tint import style
from app.cli.chat.wrapping import Wrapper
from app.logs import printable


class Printer:
    """Shows a reply's pieces: broken between words on a terminal, else as they are."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._wrapper = Wrapper(lambda: screen.width) if screen.terminal else None
        self._ended = True  # the last line, by a line feed

    def add(self, piece: Piece) -> None:
        text = printable(piece.text)
        shown = [(text, "")] if self._wrapper is None else self._wrapper.push(text, style(piece))
        self._screen.show(shown)
        self._ended = text.endswith("\n")

    def end(self) -> None:
        """Writes what is held, and ends the last line."""
        if self._wrapper is not None:
            self._screen.show(self._wrapper.flush())
        if not self._ended:
            self._screen.show([("\n", "")])
            self._ended = True


async def ask(
    client: Client,
    conversation: Conversation,
    question: str,
    reply: Reply,
    screen: Screen | None,
    *,
    before: Sequence[Exchange],
    unsteered: bool = False,
) -> None:
    """Has `reply` written to a question behind `before`, and shows it if there is a screen. Raises
    CoSteerError, with what came until then shown and in `reply`.

    `unsteered`: as the remote alone would write it; that is not recorded.
    """
    body = conversation.request(question, reply.seed, before, strength=0 if unsteered else None)
    printer = Printer(screen) if screen is not None else None
    reply.stopped = True  # until it has ended
    try:
        async with aclosing(client.write(body, reply, record=not unsteered)) as pieces:
            async for piece in pieces:
                if printer is not None:
                    printer.add(piece)
        reply.stopped = False
    finally:
        if printer is not None:
            printer.end()


async def unless_interrupted(work: Coroutine[Any, Any, None]) -> bool:
    """Whether the work ended by itself; Ctrl-C cancels it."""
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        task.cancel()

    # Windows' loop has no such handlers: there Ctrl-C ends the command.
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        await task
    except asyncio.CancelledError:
        if not interrupted:
            raise
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
    return not interrupted
