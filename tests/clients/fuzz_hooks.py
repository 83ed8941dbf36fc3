"""What schemathesis is told: ids that exist, chat requests that end, and OpenAI's own schema of a reply."""

from __future__ import annotations

import json
import os
import random
from functools import cache
from importlib import import_module, resources
from typing import Any

schemathesis: Any = import_module("schemathesis")

PROFILES = ("anna", "bo")
MODEL = os.environ.get("FUZZ_MODEL", "")
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
    if case.path == "/v1/chat/completions" and isinstance(case.body, dict) and random.random() < 0.8:
        case.body["model"] = MODEL
        if case.body.get("profile") and random.random() < 0.8:
            case.body["profile"] = random.choice(PROFILES)
        for name in ("max_tokens", "max_completion_tokens"):
            if isinstance(case.body.get(name), int):
                case.body[name] = min(case.body[name], 20)
    return case


def seeded(_context: Any, case: Any, **_: Any) -> None:
    """The profiles are there again, whatever the case before has deleted."""
    if "profile_id" in (case.path_parameters or {}):
        requests = import_module("requests")  # schemathesis brings it
        root = case.operation.base_url
        profile_id = case.path_parameters["profile_id"]
        if profile_id in PROFILES:
            requests.post(f"{root}/v1/profiles", json={"id": profile_id, "name": "N"}, timeout=20)
            if "history" in case.path:
                url = f"{root}/v1/profiles/{profile_id}/history"
                requests.post(url, json={"text": "The harbour wind"}, timeout=20)


@cache
def specification() -> Any:
    """OpenAI's, as llm-comply brings it."""
    path = resources.files("llm_comply.specs").joinpath("openai_chat.json")
    return import_module("llm_comply.schema").SpecLoader(str(path))


def named_failures(_context: Any, response: Any, _case: Any) -> None:
    """No 5xx but a failure of the remote, by its code."""
    if response.status_code >= 500:
        code = response.json()["error"]["code"]
        assert code in UPSTREAM, f"{response.status_code} with the code {code}"


def openai_shape(_context: Any, response: Any, case: Any) -> None:
    """A chat reply, or each event of a streamed one, is what OpenAI's specification says."""
    if (case.method, case.path) != ("POST", "/v1/chat/completions") or response.status_code != 200:
        return
    if response.headers["content-type"][0].startswith("application/json"):
        problems("CreateChatCompletionResponse", response.json())
        return
    events = [line[6:] for line in response.text.split("\n") if line.startswith("data: ")]
    assert events, "a stream without an event"
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    for chunk in chunks:
        if "error" not in chunk:
            problems("CreateChatCompletionStreamResponse", chunk)
    assert ("error" in chunks[-1]) != (events[-1] == "[DONE]"), "[DONE] is for success, and success has it"


def problems(name: str, value: object) -> None:
    found = specification().validate(value, name)
    assert not found, "; ".join(found)[:500]


schemathesis.hook("map_case")(known_ids)
schemathesis.hook("before_call")(seeded)
schemathesis.check(named_failures)
schemathesis.check(openai_shape)
