"""A message of the public conversation, the only thing of `prompts` that the remote's side may know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One turn of the public conversation: `role` is system, user or assistant; `name` is the speaker's."""

    role: str
    content: str
    name: str | None = None

    def fields(self) -> dict[str, str]:
        """The message as a chat template takes it."""
        named = {"name": self.name} if self.name is not None else {}
        return {"role": self.role, "content": self.content, **named}
