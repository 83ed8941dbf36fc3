"""A stream of the Responses API, followed event by event: whatever comes out of OpenAI's order fails."""

from __future__ import annotations

import json
from typing import Any

import httpx
from openai._models import validate_type
from openai.types.responses import ResponseStreamEvent

Event = dict[str, Any]
EVENT: Any = ResponseStreamEvent
ENDS = ("response.completed", "response.incomplete", "response.failed")
# The events of a part's text by its type: pieces of it, and all of it.
TEXTS = {
    "output_text": ("response.output_text.delta", "response.output_text.done"),
    "reasoning_text": ("response.reasoning_text.delta", "response.reasoning_text.done"),
}


def events_of(response: httpx.Response) -> list[Event]:
    """The events of a stream; each has its type in its event line as well."""
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = [
        [line for line in block.split("\n") if line and not line.startswith(":")]
        for block in response.text.split("\n\n")
    ]
    events = []
    for event, data in (block for block in blocks if block):
        events.append(json.loads(data.removeprefix("data: ")))
        assert event == f"event: {events[-1]['type']}"
    return events


def follow(events: list[Event]) -> dict[str, Any]:
    """The response at the end of the stream, whose items are those that the events have told of."""
    for number, event in enumerate(events):
        assert event["sequence_number"] == number
        validate_type(type_=EVENT, value=event)
    created, going, *middle, end = events
    assert [created["type"], going["type"]] == ["response.created", "response.in_progress"]
    assert created["response"] == going["response"]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])
    assert end["type"] in ENDS
    assert end["type"] == f"response.{end['response']['status']}"
    failed = end["type"] == "response.failed"
    if failed:
        *middle, error = middle
        assert error["type"] == "error"
        assert error["message"] == end["response"]["error"]["message"]
    items: list[dict[str, Any]] = []
    rest = iter(middle)
    for event in rest:
        assert event["type"] == "response.output_item.added"
        assert event["output_index"] == len(items)
        assert event["item"]["status"] == "in_progress"
        done = _item(event["item"], len(items), rest, failed=failed)
        if done is None:  # the stream broke in it
            break
        items.append(done)
    output = end["response"]["output"]
    assert output[: len(items)] == items
    assert len(output) <= len(items) + failed
    head = {name: value for name, value in created["response"].items() if name in STAYS}
    assert {name: end["response"][name] for name in head} == head
    return dict(end["response"])


STAYS = ("id", "object", "created_at", "model", "instructions", "tools", "previous_response_id", "store")


def _item(begun: Event, index: int, rest: Any, *, failed: bool) -> dict[str, Any] | None:
    """The finished item; None where the stream ends before it."""
    told = {"item_id": begun["id"], "output_index": index}

    def following() -> Event | None:
        event: Event | None = next(rest, None)
        assert event is not None or failed
        if event is not None and event["type"] != "response.output_item.done":
            assert {name: event[name] for name in told} == told, event
        return event

    if begun["type"] == "function_call":
        return _call(begun, following)
    return _said(begun, following)


def _call(begun: Event, following: Any) -> dict[str, Any] | None:
    assert begun["arguments"] == ""
    arguments = ""
    while (event := following()) is not None:
        if event["type"] == "response.function_call_arguments.delta":
            arguments += event["delta"]
            continue
        assert event["type"] == "response.function_call_arguments.done"
        assert event["arguments"] == arguments
        done = following()
        assert done["type"] == "response.output_item.done"
        assert done["item"] == {**begun, "arguments": arguments, "status": done["item"]["status"]}
        return dict(done["item"])
    return None


def _said(begun: Event, following: Any) -> dict[str, Any] | None:
    assert begun["content"] == []
    if (event := following()) is None:
        return None
    assert event["type"] == "response.content_part.added"
    part = event["part"]
    assert part["text"] == ""
    pieces, whole = TEXTS[part["type"]]
    text, logprobs, tokens = "", [], []
    while (event := following()) is not None:
        assert event["content_index"] == 0
        if event["type"] == pieces:
            text += event["delta"]
            logprobs += event.get("logprobs", [])
            tokens += event.get("costeer", {}).get("tokens", [])
            continue
        assert event["type"] == whole
        assert event["text"] == text
        closed, done = following(), following()
        assert closed["type"] == "response.content_part.done"
        assert done["type"] == "response.output_item.done"
        assert closed["part"]["text"] == text
        assert closed["part"].get("logprobs", []) == logprobs
        # The token that ends the reply has no text, and so no event of its own.
        assert closed["part"].get("costeer", {}).get("tokens", [])[: len(tokens)] == tokens
        assert done["item"] == {**begun, "content": [closed["part"]], "status": done["item"]["status"]}
        return dict(done["item"])
    return None
