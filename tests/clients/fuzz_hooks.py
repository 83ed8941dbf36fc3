"""What schemathesis is told: ids that exist, requests that end, and schemas of replies that others wrote."""

from __future__ import annotations

import json
import os
import random
from functools import cache
from importlib import import_module, resources
from typing import Any

schemathesis: Any = import_module("schemathesis")

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
PROFILES = ("anna", "bo")
MODEL = os.environ.get("FUZZ_MODEL", "")
ENDS = {"response.completed", "response.incomplete", "response.failed"}
# Failures of the remote that are named as such; any other 5xx is a bug.
UPSTREAM = {"remote_error", "remote_unavailable", "remote_timeout", "remote_unauthorized", "logprobs_cap"}


def known_ids(_context: Any, case: Any) -> Any:
    """Most requests are for something that exists; a random id would be a 404 nearly always."""
    if case.meta is not None and case.meta.phase.name == "stateful":
        return case  # what it has created itself
    parameters = case.path_parameters
    if parameters and "profile_id" in parameters and random.random() < 0.7:
        parameters["profile_id"] = random.choice(PROFILES)
    if parameters and "item_id" in parameters and random.random() < 0.7:
        parameters["item_id"] = f"item_{random.randint(1, 40)}"
    if case.path == "/v1/models/{model_id}" and random.random() < 0.5:
        parameters["model_id"] = MODEL
    if case.headers and "X-CoSteer-Profile" in case.headers and random.random() < 0.8:
        case.headers["X-CoSteer-Profile"] = random.choice(PROFILES)
    if case.path in {CHAT, RESPONSES} and isinstance(case.body, dict) and random.random() < 0.8:
        case.body["model"] = MODEL
        if case.body.get("profile") and random.random() < 0.8:
            case.body["profile"] = random.choice(PROFILES)
        for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if isinstance(case.body.get(name), int):
                case.body[name] = min(case.body[name], 20)
    return case


def seeded(_context: Any, case: Any, **_: Any) -> None:
    """What a case asks for is there again, whatever the case before has deleted."""
    profile_id = (case.path_parameters or {}).get("profile_id")
    if profile_id in PROFILES:
        posted(case, "/v1/profiles", {"id": profile_id, "name": "N"})
        if "history" in case.path:
            posted(case, f"/v1/profiles/{profile_id}/history", {"text": "The harbour wind"})
    if case.meta is None or case.meta.phase.name != "stateful":
        a_response(case)


def a_response(case: Any) -> None:
    """One that was just written, where a case goes on with one or asks for one."""
    goes_on = case.path == RESPONSES and isinstance(case.body, dict) and "previous_response_id" in case.body
    asks = "response_id" in (case.path_parameters or {})
    if (goes_on or asks) and random.random() < 0.7:
        body = {"model": MODEL, "input": "Say hello.", "max_output_tokens": 5}
        response_id = posted(case, RESPONSES, body)["id"]
        if asks:
            case.path_parameters["response_id"] = response_id
        else:
            case.body["previous_response_id"] = response_id


def posted(case: Any, path: str, body: object) -> Any:
    requests = import_module("requests")  # schemathesis brings it
    root = case.operation.base_url.rstrip("/")
    return requests.post(f"{root}{path}", json=body, timeout=20).json()


@cache
def specification(name: str) -> Any:
    """One that llm-comply brings: OpenAI's of chat, or that of Open Responses."""
    path = resources.files("llm_comply.specs").joinpath(f"{name}.json")
    return import_module("llm_comply.schema").SpecLoader(str(path))


def named_failures(_context: Any, response: Any, _case: Any) -> None:
    """No 5xx but a failure of the remote, by its code."""
    if response.status_code >= 500:
        code = response.json()["error"]["code"]
        assert code in UPSTREAM, f"{response.status_code} with the code {code}"


def openai_shape(_context: Any, response: Any, case: Any) -> None:
    """A reply, or each event of a streamed one, is what the specification says."""
    if case.method != "POST" or case.path not in {CHAT, RESPONSES} or response.status_code != 200:
        return
    whole = response.headers["content-type"][0].startswith("application/json")
    if whole and case.path == CHAT:
        problems("openai_chat", "CreateChatCompletionResponse", response.json())
    elif whole:
        problems("openresponses", "ResponseResource", response.json())
    else:
        events = [line[6:] for line in response.text.split("\n") if line.startswith("data: ")]
        assert events, "a stream without an event"
        (chat_stream if case.path == CHAT else responses_stream)(events)


def chat_stream(events: list[str]) -> None:
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    for chunk in chunks:
        if "error" not in chunk:
            problems("openai_chat", "CreateChatCompletionStreamResponse", chunk)
    assert ("error" in chunks[-1]) != (events[-1] == "[DONE]"), "[DONE] is for success, and success has it"


def responses_stream(events: list[str]) -> None:
    sent = [json.loads(event) for event in events]
    for event in sent:
        if event["type"] == "error":
            continue  # OpenAI's has its code and message in itself, that of Open Responses below `error`
        found = specification("openresponses").validate_sse_event(event["type"], event)
        assert not found, f"{event['type']}: {'; '.join(found)[:500]}"
    assert [event["sequence_number"] for event in sent] == list(range(len(sent))), "sequence numbers"
    ends = [event["type"] for event in sent if event["type"] in ENDS]
    assert len(ends) == 1 and sent[-1]["type"] == ends[0], f"it ends with {ends}"


def problems(form: str, name: str, value: object) -> None:
    found = specification(form).validate(value, name)
    assert not found, "; ".join(found)[:500]


schemathesis.hook("map_case")(known_ids)
schemathesis.hook("before_call")(seeded)
schemathesis.check(named_failures)
schemathesis.check(openai_shape)
