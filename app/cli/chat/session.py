"""A conversation with a person at the terminal: messages and commands, until they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import typer

from app.cli.chat.asking import ask, unless_interrupted
from app.cli.chat.client import Client, ProfileLine
from app.cli.chat.commands import UNSET, message, parsed
from app.cli.chat.compare import compare
from app.cli.chat.conversation import Conversation, Exchange
from app.cli.chat.manual import KEYS, LEGEND, listed
from app.cli.chat.prompt import Prompt
from app.cli.chat.reading import paragraphs
from app.cli.chat.reply import Reply
from app.cli.chat.saving import destination, save
from app.cli.chat.screen import Screen
from app.cli.chat.summary import summary
from app.cli.chat.why import chosen, explained, heading
from app.cli.strengths import strength_text, typed
from app.cli.terminal import one_line
from app.errors import CoSteerError, InvalidRequest
from app.profiles.disclosure import LEVELS

NOTHING = "Nothing has been asked yet."
NAME = 40  # characters of a person's name
MISTAKE = "bold"
LABEL = "you"  # in front of what is typed, without a profile


class Session:
    """The conversation, and what each command does."""

    def __init__(self, client: Client, conversation: Conversation, screen: Screen) -> None:
        self._client = client
        self._conversation = conversation
        self._screen = screen
        self._profiles: list[ProfileLine] = []
        self._prompt = Prompt(lambda: [one.id for one in self._profiles])
        self._commands: dict[str, Callable[[str], Awaitable[bool]]] = {
            "/profile": self._profile,
            "/strength": self._strength,
            "/level": self._level,
            "/compare": self._compare,
            "/why": self._why,
            "/preview": self._preview,
            "/retry": self._retry,
            "/save": self._save,
            "/clear": self._clear,
            "/help": self._help,
            "/quit": self._quit,
        }

    async def run(self) -> None:
        """Until /quit or Ctrl-D. Raises CoSteerError if the profiles cannot be had, or the one that is wished
        for does not exist."""
        self._profiles = await self._client.profiles()
        if (wished := self._conversation.wishes.profile) is not None:
            self._known(wished)
        self._screen.note(f"{self._whose()} /help lists the commands. {KEYS}")
        going = True
        while going:
            self._screen.show([("\n", "")])
            try:
                line = await self._prompt.line(self._conversation.wishes.profile or LABEL)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            try:
                going = await self._take(line)
            except CoSteerError as error:
                self._screen.paragraph([(f"error: {error.message}", MISTAKE)])

    async def _take(self, line: str) -> bool:
        """Does what a line says; False: the conversation ends."""
        line = line.encode(errors="replace").decode()  # bytes that are no text
        if not line.strip():
            return True
        if (command := parsed(line.strip())) is not None:
            return await self._commands[command[0]](command[1])
        question = message(line).strip("\n")
        await self._write(question, self._conversation.new_reply(), self._conversation.exchanges)
        return True

    async def _write(self, question: str, reply: Reply, before: Sequence[Exchange]) -> None:
        """Has a reply written, and keeps what came of it, whole or not."""
        before = tuple(before)
        try:
            await unless_interrupted(
                ask(self._client, self._conversation, question, reply, self._screen, before=before)
            )
        finally:
            self._conversation.keep(question, reply, before)
        self._screen.note(summary(reply))

    async def _profile(self, argument: str) -> bool:
        self._profiles = await self._client.profiles()
        if not argument:
            for one in self._profiles:
                mark = " (default)" if one.default else ""
                self._screen.note(f"  {one.id}  {one_line(one.name, NAME)}{mark}")
        elif argument == UNSET:
            self._conversation.wishes.profile = None
        else:
            self._known(argument)
            self._conversation.wishes.profile = argument
        self._screen.note(self._whose())
        return True

    def _known(self, profile: str) -> None:
        if profile not in [one.id for one in self._profiles]:
            raise InvalidRequest(
                f"There is no profile {profile[:NAME]!r} here. /profile lists them, and so does "
                "`costeer profiles list`."
            )

    def _whose(self) -> str:
        """Whose profile steers, in a sentence."""
        if (profile := self._steering()) is None:
            return "No profile is chosen, and none is the default: /profile ID chooses one."
        name = next((one.name for one in self._profiles if one.id == profile), "")
        by_default = "" if self._conversation.wishes.profile else ", the default"
        return f"Replies are steered by the profile {profile} ({one_line(name, NAME)}){by_default}."

    def _steering(self) -> str | None:
        defaults = [one.id for one in self._profiles if one.default]
        return self._conversation.wishes.profile or next(iter(defaults), None)

    async def _strength(self, argument: str) -> bool:
        wishes = self._conversation.wishes
        if argument == UNSET:
            wishes.strength = None
        elif argument:
            try:
                wishes.strength = typed(argument.lower())
            except typer.BadParameter as error:
                raise InvalidRequest(f"/strength: {error.message}.") from error
        shown = "the profile's own" if wishes.strength is None else strength_text(wishes.strength)
        self._screen.note(f"Strength: {shown}.")
        return True

    async def _level(self, argument: str) -> bool:
        wishes = self._conversation.wishes
        found = [level for level in LEVELS if level == argument.lower()]
        if argument and argument != UNSET and not found:
            raise InvalidRequest(f"/level takes {', '.join(LEVELS)}, or {UNSET} for the profile's own.")
        if argument:
            wishes.level = found[0] if found else None
        self._screen.note(f"Least level of disclosure: {wishes.level or 'as the profile has it'}.")
        return True

    async def _compare(self, _: str) -> bool:
        exchange = self._answered()
        before = self._conversation.exchanges[:-1]
        alone = Reply(exchange.reply.seed)
        self._screen.note("Asking for the reply of the remote alone ...")
        asked = ask(
            self._client, self._conversation, exchange.question, alone, None, before=before, unsteered=True
        )
        if await unless_interrupted(asked):
            compare(self._screen, exchange.reply, alone)
        return True

    async def _why(self, argument: str) -> bool:
        pieces = self._answered().reply.pieces
        found = chosen(pieces, argument)
        if not found:
            told = any(piece.tokens for piece in pieces)
            raise InvalidRequest(
                f"The last reply does not have {argument[:NAME]!r}."
                if told and argument
                else "Nothing is known of these words: the remote wrote them by itself."
            )
        self._screen.note(heading(found))
        for piece in found:
            self._screen.show([("\n", "")])
            for line in explained(piece, self._screen.width):
                self._screen.show([*line, ("\n", "")])
        return True

    async def _preview(self, argument: str) -> bool:
        if (profile := self._steering()) is None:
            raise InvalidRequest("There is no profile to preview: choose one with /profile ID.")
        conversation = self._conversation
        before: Sequence[Exchange] = conversation.exchanges
        if not argument:
            argument, before = self._answered().question, before[:-1]
        wishes = conversation.wishes
        body = {"messages": conversation.messages(argument, before)}
        given = {"strength": wishes.strength, "disclosure": wishes.level}
        shown = await self._client.preview(
            profile, {**body, **{k: v for k, v in given.items() if v is not None}}
        )
        for paragraph in paragraphs(shown):
            self._screen.paragraph(paragraph)
        return True

    async def _retry(self, _: str) -> bool:
        exchange = self._answered()
        before = self._conversation.exchanges[:-1]
        await self._write(exchange.question, self._conversation.new_reply(anew=True), before)
        return True

    async def _save(self, argument: str) -> bool:
        path = destination(argument)
        self._answered()
        if path.exists() and not await self._prompt.yes(f"{path} exists. Overwrite it?"):
            self._screen.note("Nothing was written.")
            return True
        await asyncio.to_thread(save, path, self._conversation)
        self._screen.note(f"Saved: {path}")
        return True

    async def _clear(self, _: str) -> bool:
        self._conversation.exchanges = []
        self._screen.note("A new conversation begins.")
        return True

    async def _help(self, _: str) -> bool:
        self._screen.show((f"{line}\n", "") for line in listed(self._screen.width))
        self._screen.note(KEYS)
        if self._screen.styled:
            self._screen.paragraph(LEGEND)
        return True

    async def _quit(self, _: str) -> bool:
        return False

    def _answered(self) -> Exchange:
        if (last := self._conversation.last) is None:
            raise InvalidRequest(NOTHING)
        return last
