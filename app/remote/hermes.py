"""Tool calls in a model's text, as Qwen and Hermes write them: JSON between <tool_call> and </tool_call>.

What is no call stays text, as vLLM's hermes parser has it. Pure text; however it is cut, the pieces put
together are the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

OPEN, CLOSE = "<tool_call>", "</tool_call>"
BARE = '{"name":"'  # how a call without markers begins, white space aside
SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class Call:
    """A call: the function's name, and its arguments as JSON text."""

    name: str
    arguments: str


class CallScanner:
    """Takes the text in pieces and gives back text and calls, in their order.

    Once a call has come, text between calls is left out. `bare` are names of functions: a text that is
    nothing but the JSON of calls of them is these calls, since small models leave the markers out.
    """

    def __init__(self, bare: Collection[str] = ()) -> None:
        self._bare = frozenset(bare)
        self._held = ""
        self._inside = False  # behind an opening marker
        self._begun = False  # text or a call has come
        self.calls = 0

    def push(self, text: str) -> list[str | Call]:
        """What is known of the text so far and was not given back yet."""
        self._held += text
        found: list[str | Call] = []
        while self._bare_so_far() is False and self._step(found):
            pass
        return found

    def flush(self) -> list[str | Call]:
        """The rest, at the end: a call whose JSON is whole is one without its closing marker too."""
        if self._bare_so_far() and (calls := self._bare_calls()):
            self._held = ""
            self.calls += len(calls)
            return [*calls]
        self._begun = True  # so that nothing is held for being bare
        found = self.push("")
        rest, self._held = self._held, ""
        if self._inside:
            self._inside = False
            self._closed(rest, "", found)
        else:
            self._text(rest, found)
        return found

    def _step(self, found: list[str | Call]) -> bool:
        """Take one marker or a text off what is held; whether there was one."""
        marker = CLOSE if self._inside else OPEN
        at = self._held.find(marker)
        if at < 0:
            if not self._inside:
                keep = _overlap(self._held, OPEN)
                self._text(self._held[: len(self._held) - keep], found)
                self._held = self._held[len(self._held) - keep :]
            return False
        body, self._held = self._held[:at], self._held[at + len(marker) :]
        if self._inside:
            self._closed(body, CLOSE, found)
        else:
            self._text(body, found)
        self._inside = not self._inside
        return True

    def _closed(self, body: str, marker: str, found: list[str | Call]) -> None:
        call = read_call(body)
        self._begun = True
        if call is None:
            found.append(OPEN + body + marker)
        else:
            self.calls += 1
            found.append(call)

    def _text(self, text: str, found: list[str | Call]) -> None:
        if text and not self.calls:
            self._begun = True
            found.append(text)

    def _bare_so_far(self) -> bool:
        """Whether all so far may be a call without markers: nothing has come yet, and JSON begins."""
        return bool(self._bare) and not (self._begun or self._inside or self.calls) and self._json_begins()

    def _bare_calls(self) -> list[Call]:
        """The calls that all of the text is; none where anything else stands there."""
        calls, rest = [], self._held.strip()
        while rest:
            value = first_value(rest)
            call = read_call(value) if value is not None else None
            if value is None or call is None or call.name not in self._bare:
                return []
            calls.append(call)
            rest = rest[len(value) :].lstrip()
        return calls

    def _json_begins(self) -> bool:
        text = "".join(self._held.split())
        return text.startswith(BARE) or BARE.startswith(text)


def read_call(text: str) -> Call | None:
    """The call that a JSON object is: its `arguments` as they stand there; None if it is none.

    Arguments that are a string are taken for JSON text where they hold an object.
    """
    try:
        value = json.loads(text)
        str(value).encode()  # no lone surrogate can be sent
        spans = _members(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return None
    arguments = value.get("arguments")
    if isinstance(arguments, str):
        return Call(value["name"], arguments) if is_object(arguments) else None
    if not isinstance(arguments, dict):
        return None
    return Call(value["name"], spans["arguments"])


def first_value(text: str) -> str | None:
    """The JSON object that a text begins with, as it stands there; None while it is not whole."""
    start = SPACE.match(text).end()  # type: ignore[union-attr]  # it always matches
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return text[start:end] if isinstance(value, dict) else None


def _members(text: str) -> dict[str, str]:
    """The values of an object's members as they stand in its text, which is JSON. Raises ValueError."""
    decoder, members = json.JSONDecoder(), {}
    at = _past_space(text, _past_space(text, 0) + 1)
    while at < len(text) and text[at] == '"':
        name, at = decoder.raw_decode(text, at)
        start = _past_space(text, _past_space(text, at) + 1)
        _, end = decoder.raw_decode(text, start)
        members[name] = text[start:end]
        at = _past_space(text, _past_space(text, end) + 1)
    return members


def _past_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    assert found is not None  # noqa: S101  # it matches the empty text
    return found.end()


def is_object(text: str) -> bool:
    """Whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _overlap(text: str, marker: str) -> int:
    """The length of the longest end of the text that is the beginning of the marker."""
    longest = min(len(text), len(marker) - 1)
    return next((n for n in range(longest, 0, -1) if marker.startswith(text[-n:])), 0)
