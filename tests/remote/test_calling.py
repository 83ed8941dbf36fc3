"""A reply with calls that a model in this process writes, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes import EOS, FakeTokenizer

from app.errors import InvalidRequest
from app.prompts.message import Message
from app.remote.calling import Writer, beginning, sampling_of, writes_calls
from app.remote.interface import DraftToken, Handover, Said
from app.steering.sampling import SamplingParams

TOOLS = tuple({"type": "function", "function": {"name": name}} for name in ("look_up", "wait"))
HANDOVER = Handover((Message("user", "Tree?"),), TOOLS)
NAMED = {"type": "function", "function": {"name": "wait"}}
CALL = '<tool_call>\n{"name": "wait", "arguments": {"n": 1}}\n</tool_call>'


def drafted(byte: int) -> DraftToken:
    return DraftToken(byte, np.array([byte, 65]), np.log([0.75, 0.25]), ends=byte == EOS)


def written(text: str, handover: Handover = HANDOVER, *, ends: bool = True) -> list[Said]:
    """What is said of a text; unless it `ends`, the limit ends it."""
    writer = Writer(handover, FakeTokenizer())
    said: list[Said] = []
    for byte in [*text.encode(), *([EOS] if ends else [])]:
        said += writer.take(drafted(byte))
        if writer.done is not None:
            break
    return said + list(writer.end())


def text(said: Sequence[Said]) -> str:
    return "".join(piece.text for piece in said)


def calls(said: Sequence[Said]) -> list[tuple[int, str | None, str]]:
    made = [call for piece in said for call in piece.calls]
    ids = {call.id for call in made}
    assert len(ids) == len(made)
    assert all(one is not None and one.startswith("call_") for one in ids)
    return [(call.index, call.name, call.arguments) for call in made]


def test_text_and_calls_are_told_apart() -> None:
    reply = f"Let me see. é\n{CALL}\n{CALL}"
    said = written(reply)
    assert text(said) == "Let me see. é\n"
    assert calls(said) == [(0, "wait", '{"n": 1}'), (1, "wait", '{"n": 1}')]
    assert (said[-1].finish_reason, said[-1].tokens) == (
        "tool_calls",
        len(f"Let me see. é\n{CALL}\n{CALL}") + 2,
    )
    assert [piece.finish_reason for piece in said[:-1]] == [None] * (len(said) - 1)


@pytest.mark.parametrize(("ends", "reason"), [(True, "stop"), (False, "length")])
def test_a_text_ends_as_any_reply_does(ends: bool, reason: str) -> None:
    said = written("Green. <tool", ends=ends)
    assert (text(said), calls(said), said[-1].finish_reason) == ("Green. <tool", [], reason)


def test_one_call_is_enough_without_parallel_calls() -> None:
    said = written(f"{CALL}\n{CALL} and so on", replace(HANDOVER, parallel=False))
    assert (len(calls(said)), said[-1].finish_reason, said[-1].tokens) == (1, "tool_calls", len(CALL))


def test_bare_json_is_calls_only_where_the_reply_begins() -> None:
    bare = '{"name": "wait", "arguments": {}}'
    assert calls(written(bare)) == [(0, "wait", "{}")]
    assert calls(written(bare + bare, replace(HANDOVER, parallel=False))) == [(0, "wait", "{}")]
    assert calls(written(bare, replace(HANDOVER, begun="So: "))) == []


@pytest.mark.parametrize(
    ("choice", "tools", "reason"),
    [(NAMED, TOOLS, "stop"), ("required", TOOLS[1:], "tool_calls")],
)
def test_the_only_function_is_begun_and_its_arguments_end_the_reply(
    choice: Any, tools: Any, reason: str
) -> None:
    handover = replace(HANDOVER, choice=choice, tools=tools)
    assert beginning(handover) == '<tool_call>\n{"name": "wait", "arguments":'
    said = written(' {"n": "}"}}\n</tool_call>', handover)
    assert calls(said) == [(0, "wait", '{"n": "}"}')]
    assert (text(said), said[-1].finish_reason, said[-1].tokens) == ("", reason, len(' {"n": "}"}'))
    cut = written(' {"n": 1', handover, ends=False)
    assert (calls(cut), cut[-1].finish_reason) == ([(0, "wait", '{"n": 1')], "length")
    broken = written(" never", handover)
    assert (text(broken), calls(broken), broken[-1].finish_reason) == (" never", [], "stop")


def test_one_of_several_functions_is_begun() -> None:
    handover = replace(HANDOVER, choice="required", begun="Gladly.")
    assert beginning(handover) == '\n<tool_call>\n{"name": "'
    assert beginning(replace(handover, begun="Gladly.\n")) == beginning(replace(handover, begun=""))
    assert beginning(HANDOVER) == ""
    said = written('wait", "arguments": {}}\n</tool_call>', handover)
    assert (text(said), calls(said), said[-1].finish_reason) == ("", [(0, "wait", "{}")], "tool_calls")


@pytest.mark.parametrize("stop", ["een", ["zzz", "een"]])
def test_stop_strings_end_the_reply(stop: Any) -> None:
    said = written(f"Green trees.{CALL}", replace(HANDOVER, asked={"stop": stop}))
    assert (text(said), calls(said), said[-1].finish_reason) == ("Gr", [], "stop")


def test_log_probabilities_are_openai_s() -> None:
    said = written("No", replace(HANDOVER, asked={"logprobs": True, "top_logprobs": 1}))
    entries = [entry for piece in said if piece.logprobs for entry in piece.logprobs["content"]]
    one = {"token": "N", "logprob": pytest.approx(np.log(0.75)), "bytes": [78]}
    assert entries[0] == {**one, "top_logprobs": [one]}
    assert len(entries) == len("No")


def test_sampling_is_the_clients_and_else_openai_s() -> None:
    assert sampling_of({}) == SamplingParams()
    assert sampling_of({"temperature": None, "top_k": -1, "stop": "x"}) == SamplingParams()
    asked = {"temperature": 0, "top_p": 0.5, "top_k": 3, "seed": 7, "logit_bias": {"65": -1}}
    expected = SamplingParams(temperature=0, top_p=0.5, top_k=3, seed=7, logit_bias={65: -1})
    assert sampling_of(asked) == expected


def test_a_template_has_to_write_calls_as_they_are_read() -> None:
    class Other(FakeTokenizer):
        def render(self, messages: Sequence[Any], **how: Any) -> str:
            return super().render(messages, **how).replace("arguments", "parameters")

    class Refusing(FakeTokenizer):
        def render(self, messages: Sequence[Any], **how: Any) -> str:
            raise InvalidRequest("no tools")

    class Silent(FakeTokenizer):
        def render(self, messages: Sequence[Any], **how: Any) -> str:
            return super().render([Message(one.role, one.content) for one in messages])

    assert writes_calls(FakeTokenizer())
    assert not any(writes_calls(one()) for one in (Other, Refusing, Silent))
