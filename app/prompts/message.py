"""The public conversation, the only thing of `prompts` that the remote's side may know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# A tool as OpenAI's chat API has it: {"type": "function", "function": {"name", "description", "parameters"}}.
Tool = Mapping[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A call of a function; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str

    def values(self) -> Iterator[str]:
        """The keys and values in the arguments, at any depth and in their order, as plain text: numbers as in
        JSON. Arguments that are no JSON are one value."""
        waiting = [_parsed(self.arguments)]
        while waiting:  # no recursion: a model may nest them deeply
            value = waiting.pop()
            if isinstance(value, dict):
                waiting += [part for pair in reversed(value.items()) for part in reversed(pair)]
            elif isinstance(value, list):
                waiting += reversed(value)
            else:
                yield value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Message:
    """One turn of the conversation: `role` is system, user, assistant or tool; `name` is the speaker's.

    `calls` are those that a message of the assistant makes; `answers` is the id of the call whose result a
    message of role tool is.
    """

    role: str
    content: str
    name: str | None = None
    calls: tuple[ToolCall, ...] = ()
    answers: str | None = None

    def fields(self) -> dict[str, Any]:
        """The message as a chat template takes it: with a call's arguments as an object."""
        return template_fields(self.role, self.content, self.name, self.calls, self.answers)

    def wire(self) -> dict[str, Any]:
        """The message as OpenAI's chat API takes it: with a call's arguments as text."""
        fields = self.fields()
        for made, call in zip(fields.get("tool_calls", ()), self.calls, strict=True):
            made["function"]["arguments"] = call.arguments
        return fields

    def texts(self) -> Iterator[str]:
        """All that the message says, as plain text: its content, the speaker's name, and of each call the
        function's name and what stands in the arguments."""
        yield self.content
        yield self.name or ""
        for call in self.calls:
            yield call.name
            yield "\n".join(call.values())


def template_fields(
    role: str, content: str, name: str | None, calls: tuple[ToolCall, ...], answers: str | None
) -> dict[str, Any]:
    """What a chat template takes, as transformers documents it. Arguments that are no JSON stay text."""
    fields: dict[str, Any] = {"role": role, "content": content}
    if name is not None:
        fields["name"] = name
    if answers is not None:
        fields["tool_call_id"] = answers
    if calls:
        fields["tool_calls"] = [
            {
                "id": one.id,
                "type": "function",
                "function": {"name": one.name, "arguments": _parsed(one.arguments)},
            }
            for one in calls
        ]
    return fields


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
