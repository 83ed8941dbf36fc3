"""What is taken out of a JSON body: labels and own fields at any depth, and nothing of a client's data."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from app.api.schemas.public import KEPT_HERE, is_kept_here, names_model, public

KEPT: dict[str, Any] = dict.fromkeys(sorted(KEPT_HERE), "private")
REQUEST = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}


def holding(labels: dict[str, Any]) -> list[Any]:
    """Bodies of OpenAI's, Anthropic's and vLLM's shapes with the labels at each place where one may stand."""
    part = {"type": "text", "text": "Hi", **labels}
    message = {"role": "user", "content": [part], **labels}
    request = {"model": "m", "messages": [message], **labels}
    return [
        request,
        [request, "text", 1],
        {"requests": [{"custom_id": "1", "params": request, **labels}]},
        {"batches": [[request]]},
        {"method": "POST", "url": "/v1/chat/completions", "body": request},
        {
            "model": "m",
            "input": [message, {"type": "function_call_output", "output": "x", **labels}],
            **labels,
        },
        {"extra_body": {**labels}},
        {"messages": [[message]]},
    ]


@pytest.mark.parametrize("number", range(len(holding({}))))
def test_at_every_place_they_are_taken_out_and_the_rest_stays(number: int) -> None:
    found = public(holding(KEPT)[number])
    assert found.changed
    assert found.value == holding({})[number]
    assert "private" not in json.dumps(found.value)


DATA: list[Any] = [
    {
        "tools": [
            {"type": "function", "function": {"parameters": {"properties": {"user": {}, "profile": {}}}}}
        ]
    },
    {"tools": [{"name": "f", "input_schema": {"properties": KEPT}}]},
    {"response_format": {"type": "json_schema", "json_schema": {"schema": {"properties": KEPT}}}},
    {"text": {"format": {"type": "json_schema", "schema": {"properties": KEPT}}}},
    {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": KEPT}]}]},
    {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": KEPT}}]}]},
    {
        "documents": [{"text": "x", **KEPT}],
        "chat_template_kwargs": KEPT,
        "structured_outputs": {"json": KEPT},
    },
    {"input": ["user", "metadata"], "messages": [{"role": "user", "content": "profile"}]},
]


@pytest.mark.parametrize("body", DATA)
def test_a_client_s_own_data_is_not_touched(body: Any) -> None:
    before = deepcopy(body)
    found = public(body)
    assert not found.changed and found.value == before and found.aliases == []


def test_models_with_an_at_are_found_where_they_stand() -> None:
    body = {"model": "a@x", "models": ["b", "c@y"], "requests": [{"params": {"model": "d@z"}}], "name": "e@w"}
    assert sorted(container[key] for container, key in public(body).aliases) == ["a@x", "c@y", "d@z"]
    assert public({"model": 7, "models": {"x@y": 1}, "tools": [{"model": "x@y"}]}).aliases == []


@pytest.mark.parametrize(
    "body",
    [
        {"Model": "m@isabel"},
        {" models ": ["n", "m@isabel"]},
        {"extra[model]": "m@isabel"},
        {"model": {"name": "m@isabel", "size": 7}},
        {"models": [{"id": "m@isabel"}, "n"]},
        {"fallbacks": ["n", "m@isabel"]},
        {"fallbacks": [{"model": "m@isabel", "messages": [{"content": "write@home"}], "stop": ["@"]}]},
        {"fallbacks": [{"n": ["m@isabel"]}]},
        {"requests": [{"params": {"Fallbacks": "m@isabel"}}]},
    ],
)
def test_a_model_is_found_in_any_spelling_and_in_objects_and_lists(body: dict[str, Any]) -> None:
    found = public(body)
    assert [container[key] for container, key in found.aliases] == ["m@isabel"]
    assert not found.changed


def test_it_goes_as_deep_as_the_parser_does() -> None:
    text = '{"a":' * 900 + '{"user":"private"}' + "}" * 900
    assert public(json.loads(text)).changed


@pytest.mark.parametrize(
    "name", ["user", "User", " metadata ", "metadata[topic]", "a[user]", "prompt_cache_key", "costeer[]"]
)
def test_a_field_of_a_form_or_query_is_one_by_any_of_its_steps(name: str) -> None:
    assert is_kept_here(name)


@pytest.mark.parametrize("name", ["user_id", "", "metadat", "model"])
def test_other_fields_are_not(name: str) -> None:
    assert not is_kept_here(name)
    assert names_model(name) == (name == "model")


@pytest.mark.parametrize("name", ["User", " metadata ", "metadata[topic]", "extra_body.user"])
def test_in_json_they_are_found_in_any_spelling(name: str) -> None:
    assert public({"model": "m", name: "private"}).value == {"model": "m"}


def test_steered_log_probabilities_of_an_earlier_reply_stay_here() -> None:
    entry = {"token": "a", "logprob": -0.1, "top_logprobs": [{"token": "b", "logprob": -2.0}]}
    part = {"type": "output_text", "text": "a", "logprobs": [entry], "annotations": []}
    body = {
        "logprobs": True,
        "top_logprobs": 5,
        "input": [{"role": "assistant", "content": [dict(part)]}],
        "messages": [{"role": "assistant", "content": "a", "logprobs": {"content": [entry]}}],
    }
    found = public(body)
    assert found.changed
    assert found.value == {
        "logprobs": True,
        "top_logprobs": 5,
        "input": [
            {"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]}
        ],
        "messages": [{"role": "assistant", "content": "a"}],
    }
