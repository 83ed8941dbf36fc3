"""Reads lines from a person at the terminal: Enter sends, Esc-Enter breaks the line, Tab completes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from app.cli.chat.commands import COMMANDS, SLASH
from app.profiles.disclosure import LEVELS
from app.steering.strength import AUTO


class Prompt:
    """The line editor. What is typed is remembered in memory only, since it is private."""

    def __init__(self, profiles: Callable[[], Iterable[str]]) -> None:
        """`profiles` gives the ids that may be completed."""
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(),
            completer=Completing(profiles),
            complete_while_typing=False,
            multiline=True,
            key_bindings=bindings(),
            prompt_continuation=lambda width, _number, _wrapped: "." * (width - 1) + " ",
            enable_open_in_editor=False,
        )

    async def line(self, label: str) -> str:
        """What is entered. Raises EOFError at Ctrl-D on an empty line, KeyboardInterrupt at Ctrl-C."""
        return await self._session.prompt_async(f"{label}> ")

    async def yes(self, question: str) -> bool:
        """Whether the answer to a question is yes."""
        asking: PromptSession[str] = PromptSession(history=InMemoryHistory())
        try:
            return (await asking.prompt_async(f"{question} [y/N] ")).strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            return False


class Completing(Completer):
    """Completes commands, and what they take."""

    def __init__(self, profiles: Callable[[], Iterable[str]]) -> None:
        self._profiles = profiles
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        name, space, begun = text.partition(" ")
        if not text.startswith(SLASH):
            return
        if not space:
            for command in COMMANDS:
                if command.name.startswith(name.lower()):
                    behind = " " if command.takes else ""
                    yield Completion(command.name + behind, -len(name), display_meta=command.does)
        elif name == "/save":
            yield from self._paths.get_completions(Document(begun), complete_event)
        else:
            words = {"/profile": self._profiles(), "/strength": (AUTO,), "/level": LEVELS}.get(name, ())
            for word in words:
                if word.startswith(begun):
                    yield Completion(word, -len(begun))


def bindings() -> KeyBindings:
    """Enter sends; Esc-Enter, which is Alt-Enter, breaks the line. What is pasted keeps its lines."""
    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _break(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
