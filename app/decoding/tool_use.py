"""The tools that a reply may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.prompts.message import Tool


@dataclass(frozen=True, repr=False)
class ToolUse:
    """The tools that the remote is shown, and how it may call them.

    `choice` is OpenAI's tool_choice; with "none" none is called. `parallel` is parallel_tool_calls, None if
    the client leaves it to the remote. `asked` are the client's own fields about sampling, stops and
    log-probabilities, named as in OpenAI's chat API; with `stream` calls come in pieces.
    """

    definitions: tuple[Tool, ...]
    choice: str | Tool = "auto"
    parallel: bool | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True

    @property
    def calls(self) -> bool:
        """Whether the reply may call any."""
        return bool(self.definitions) and self.choice != "none"
