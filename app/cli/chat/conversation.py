"""A conversation: what was asked and answered, and how the next reply is to be written."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.cli.chat.reply import Reply
from app.profiles.disclosure import Level
from app.steering.strength import Strength

# Candidates that each token of a conversation lists, for /why.
CANDIDATES = 5
MODEL = "default"


@dataclass(repr=False)
class Wishes:
    """How replies are to be written; None leaves it to the profile or to the server."""

    profile: str | None = None
    strength: Strength | None = None
    level: Level | None = None
    model: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None


@dataclass(frozen=True, repr=False)
class Exchange:
    """A question, its reply, and under whose profile it was written."""

    question: str
    reply: Reply
    profile: str | None = None


@dataclass(repr=False)
class Conversation:
    """Wishes, and the exchanges so far. `candidates` is how many of them a token of a reply lists."""

    wishes: Wishes
    candidates: int = CANDIDATES
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def last(self) -> Exchange | None:
        return self.exchanges[-1] if self.exchanges else None

    def new_reply(self, *, anew: bool = False) -> Reply:
        """An empty reply with its seed: the one wished for, else a random one, as always with `anew`."""
        seed = None if anew else self.wishes.seed
        return Reply(secrets.randbits(31) if seed is None else seed)

    def keep(self, question: str, reply: Reply, before: Sequence[Exchange]) -> None:
        """The conversation is this exchange behind those `before`, if the reply has any text."""
        if reply.text:
            self.exchanges = [*before, Exchange(question, reply, self.wishes.profile)]

    def messages(self, question: str, before: Sequence[Exchange]) -> list[dict[str, str]]:
        """OpenAI's messages of a question behind other exchanges."""
        messages = [{"role": "system", "content": self.wishes.system}] if self.wishes.system else []
        for one in before:
            messages.append({"role": "user", "content": one.question})
            messages.append({"role": "assistant", "content": one.reply.text})
        return [*messages, {"role": "user", "content": question}]

    def request(
        self, question: str, seed: int, before: Sequence[Exchange], *, strength: Strength | None = None
    ) -> dict[str, Any]:
        """The body of a streamed chat completion; `strength` goes before the one wished for."""
        wishes = self.wishes
        costeer = {"detail": True, "candidates": self.candidates, "disclosure": wishes.level}
        body = {
            "model": wishes.model or MODEL,
            "messages": self.messages(question, before),
            "stream": True,
            "seed": seed,
            "max_tokens": wishes.max_tokens,
            "temperature": wishes.temperature,
            "profile": wishes.profile,
            "strength": wishes.strength if strength is None else strength,
            "costeer": costeer,
        }
        return {name: value for name, value in body.items() if value is not None}
