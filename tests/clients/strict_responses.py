"""openai-python with strict validation, at /v1/responses: each request whole and streamed, and errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI
from strict import expect

LOOK_UP: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
WEATHER = {"role": "user", "content": "What is the weather in Paris?"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Paris"}'}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny, 21 degrees"}
LOGPROBS = "message.output_text.logprobs"
REQUESTS: Mapping[str, dict[str, Any]] = {
    "text": {},
    "steered": {"extra_body": {"profile": "isabel", "strength": 0.5, "costeer": {"detail": True}}},
    "instructions": {"instructions": "Be brief.", "temperature": 0.7, "top_p": 0.9, "metadata": {"a": "b"}},
    "previous turns": {
        "input": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "My name is Ada."}]},
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello Ada.", "annotations": []}],
            },
            {"role": "user", "content": "What is my name?"},
        ]
    },
    "previous_response_id": {"input": "And once more."},
    "logprobs": {"include": [LOGPROBS], "top_logprobs": 2},
    "steered with logprobs": {
        "include": [LOGPROBS],
        "top_logprobs": 2,
        "extra_body": {"profile": "isabel"},
    },
    "max_output_tokens": {"input": "Tell me a long story.", "max_output_tokens": 2},
    "function tool": {"temperature": 0, "input": [WEATHER], "tools": [LOOK_UP], "tool_choice": "required"},
    "tool result": {"temperature": 0, "input": [WEATHER, CALL, RESULT], "tools": [LOOK_UP]},
}
NEEDS_TOOLS = ("function tool", "tool result")
ENDS = ("response.completed", "response.incomplete")


class Asking:
    """A client, what it asks, and what came of it."""

    def __init__(self, base_url: str) -> None:
        self.client = OpenAI(
            base_url=base_url, api_key="unused", max_retries=0, _strict_response_validation=True
        )
        self.model = next(iter(self.client.models.list())).id
        self.steered: list[str] = []

    def fields(self, name: str) -> dict[str, Any]:
        fields = {"model": self.model, "input": "Say hello.", "max_output_tokens": 20, **REQUESTS[name]}
        if name == "previous_response_id":
            fields["previous_response_id"] = self.client.responses.create(
                **{**fields, "input": "Say hello."}
            ).id
        return fields

    def whole(self, name: str) -> None:
        raw = self.client.responses.with_raw_response.create(**self.fields(name))
        self.note(raw)
        response = raw.parse()
        right(name, response)
        kept = self.client.responses.retrieve(response.id)
        expect([*map(told, kept.output)] == [*map(told, response.output)], "it is kept otherwise")
        items = self.client.responses.input_items.list(response.id).data
        expect(len(items) > 0, "no input items are stored")
        self.client.responses.delete(response.id)
        refused(lambda: self.client.responses.retrieve(response.id), NotFoundError, response.id)

    def streamed(self, name: str) -> None:
        raw = self.client.responses.with_raw_response.create(**self.fields(name), stream=True)
        self.note(raw)
        events = list(raw.parse())
        kinds = [event.type for event in events]
        expect([event.sequence_number for event in events] == list(range(len(events))), "sequence numbers")
        expect(kinds[:2] == ["response.created", "response.in_progress"], f"it starts with {kinds[:2]}")
        expect(kinds[-1] in ENDS, f"it ends with {kinds[-1]}")
        added = [event.output_index for event in events if event.type == "response.output_item.added"]
        final = events[-1].response
        expect(added == list(range(len(final.output))), f"items were added at {added}")
        done = [event.item for event in events if event.type == "response.output_item.done"]
        expect(done == final.output, "an item at its end is not that of the response")
        right(name, final)
        for index, item in enumerate(final.output):
            of_item = [event for event in events if getattr(event, "output_index", None) == index]
            for kind, said in told(item):
                pieces = [event.delta for event in of_item if event.type == f"{kind}.delta"]
                expect(
                    "".join(pieces) == said, f"the pieces of {kind} make {''.join(pieces)!r}, not {said!r}"
                )

    def note(self, raw: Any) -> None:
        self.steered.append(raw.headers.get("X-CoSteer-Steered", "not said"))


def told(item: Any) -> list[tuple[str, str]]:
    """What a stream has in pieces: the name of its events, and all of it."""
    if item.type == "message":
        return [("response.output_text", part.text) for part in item.content]
    return [("response.function_call_arguments", item.arguments)] if item.type == "function_call" else []


def right(name: str, response: Any) -> None:
    expect(response.usage is not None and response.usage.output_tokens > 0, "no usage")
    if name == "max_output_tokens":
        why = response.incomplete_details and response.incomplete_details.reason
        expect((response.status, why) == ("incomplete", "max_output_tokens"), f"{response.status}, {why}")
        return
    if name == "function tool":
        (call,) = [item for item in response.output if item.type == "function_call"]
        expect(call.name == "get_weather" and bool(call.call_id), f"a call of {call.name}")
        return
    expect(bool(response.output_text), "nothing was said")
    if "include" in REQUESTS[name]:
        (part,) = response.output[-1].content
        tokens = part.logprobs or []
        written = b"".join(bytes(one.bytes) for one in tokens).decode()
        # In a steered reply a name may stand where the remote has written a placeholder.
        known = written == part.text or "[Your" in written
        expect(known, f"the logprobs' tokens are {written!r}, not {part.text!r}")
        # There are as many as there are candidates, at most.
        expect(all(1 <= len(one.top_logprobs) <= 2 for one in tokens), "not two top logprobs for each")


def errors(asking: Asking) -> Mapping[str, Callable[[], None]]:
    def create(**fields: Any) -> Callable[[], Any]:
        asked = {"model": asking.model, "input": "Say hello.", **fields}
        return lambda: asking.client.responses.create(**asked)

    return {
        "unknown model": lambda: refused(create(model="nope"), NotFoundError, "nope"),
        "unknown previous_response_id": lambda: refused(
            create(previous_response_id="resp_none"), APIStatusError, "resp_none"
        ),
        "temperature 9": lambda: refused(create(temperature=9), BadRequestError, "temperature"),
        "background": lambda: refused(create(background=True), BadRequestError, "background"),
        "unknown response": lambda: refused(
            lambda: asking.client.responses.retrieve("resp_none"), NotFoundError, "resp_none"
        ),
    }


def refused(ask: Callable[[], Any], kind: type[APIStatusError], name: str) -> None:
    try:
        ask()
    except kind as error:
        expect(name in f"{error.param} {error.message}", f"the refusal does not name {name}: {error.message}")
        return
    raise AssertionError("not refused")


def main(base_url: str, kind: str) -> int:
    asking, failed, all_checks = Asking(base_url), 0, 0
    checks: dict[str, Callable[[], None]] = {}
    for name in REQUESTS:
        if name not in NEEDS_TOOLS or kind == "tools":
            checks[f"{name}, whole"] = lambda name=name: asking.whole(name)  # type: ignore[misc]
            checks[f"{name}, streamed"] = lambda name=name: asking.streamed(name)  # type: ignore[misc]
    for name, check in {**checks, **errors(asking)}.items():
        all_checks += 1
        try:
            check()
        except Exception as error:
            failed += 1
            print(f"FAILED {name}: {type(error).__name__}: {str(error)[:600]}")
    steered = asking.steered.count("true")
    print(f"{all_checks - failed} of {all_checks} pass; {steered} of {len(asking.steered)} replies steered")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
