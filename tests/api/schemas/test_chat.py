"""A request becomes what the rest of the product takes; what is left out gets OpenAI's defaults."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.api.schemas.chat import MAX_STOPS, ChatRequest
from app.prompts.message import Message
from app.steering.sampling import SamplingParams


def request(**fields: Any) -> ChatRequest:
    given = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return ChatRequest.model_validate(given)


def refused(**fields: Any) -> tuple[Any, ...]:
    """Where the one mistake is, and its type."""
    with pytest.raises(ValidationError) as caught:
        request(**fields)
    (mistake,) = caught.value.errors()
    return (mistake["type"], *mistake["loc"])


def test_the_defaults_are_openai_s() -> None:
    plain = request()
    assert plain.sampling() == SamplingParams(temperature=1.0, top_p=1.0)
    assert (plain.token_limit, plain.stops(), plain.profile, plain.strength) == (None, (), None, None)
    assert not plain.stream


def test_sampling_fields_arrive_under_their_names() -> None:
    fields: dict[str, Any] = {
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 7,
        "min_p": 0.1,
        "presence_penalty": -1.5,
        "frequency_penalty": 1,
        "repetition_penalty": 1.1,
        "seed": 3,
    }
    assert request(**fields, logit_bias={"17": -100, "4": 2.5}).sampling() == SamplingParams(
        **fields, logit_bias={17: -100.0, 4: 2.5}
    )


@pytest.mark.parametrize("all_tokens", [-1, 0, None])
def test_openai_and_vllm_have_three_words_for_no_top_k(all_tokens: int | None) -> None:
    assert request(top_k=all_tokens).sampling().top_k == 0


def test_a_seed_of_0_is_a_seed() -> None:
    assert request(seed=0).sampling().seed == 0


def test_either_name_of_the_token_limit_is_taken() -> None:
    for limit in ({"max_tokens": 9}, {"max_completion_tokens": 9}):
        assert request(**limit).token_limit == 9
    assert request(max_tokens=9, max_completion_tokens=9).token_limit == 9


def test_one_stop_string_is_a_list_of_one() -> None:
    assert request(stop="END").stops() == ("END",)
    assert request(stop=["a", "b"]).stops() == ("a", "b")
    assert request(stop=[]).stops() == ()


def test_developer_is_system_and_text_parts_are_lines() -> None:
    messages = [
        {"role": "developer", "content": "Brief."},
        {"role": "user", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
    ]
    assert [m.message() for m in request(messages=messages).messages] == [
        Message("system", "Brief."),
        Message("user", "1\n2"),
    ]


def test_labels_for_bookkeeping_are_taken_and_change_nothing() -> None:
    assert request(user="me", metadata={"a": 1}).sampling() == request().sampling()


@pytest.mark.parametrize(
    ("field", "ends"),
    [
        ("temperature", (0, 2)),
        ("top_p", (0, 1)),
        ("min_p", (0, 1)),
        ("presence_penalty", (-2, 2)),
        ("frequency_penalty", (-2, 2)),
        ("repetition_penalty", (0.01, 2)),
        ("strength", (0, 4)),
    ],
)
def test_numbers_are_taken_up_to_their_bounds_and_no_further(field: str, ends: tuple[float, float]) -> None:
    low, high = ends
    for value in ends:
        assert getattr(request(**{field: value}), field) == value
    assert refused(**{field: low - 0.011})[1] == field
    assert refused(**{field: high + 0.001})[1] == field
    assert refused(**{field: float("nan")})[1] == field


def test_a_strength_can_be_left_to_the_product() -> None:
    assert request(strength="auto").strength == "auto"


def test_a_field_of_two_kinds_has_one_mistake() -> None:
    """pydantic's own unions report on every branch."""
    assert refused(strength="strong") == ("strength", "strength")
    assert refused(stop=5) == ("costeer", "stop")
    assert refused(stop=["a", ""])[:2] == ("string_too_short", "stop")
    assert refused(messages=[{"role": "user", "content": 5}]) == ("costeer", "messages", 0, "content")


def test_stop_strings_are_taken_as_vllm_takes_them() -> None:
    assert len(request(stop=[str(n) for n in range(MAX_STOPS)]).stops()) == MAX_STOPS
    assert request(stop=None).stops() == request(stop=[]).stops() == ()
    assert refused(stop="")[1] == "stop"


@pytest.mark.parametrize("empty", [None, "", [], {}, False])
@pytest.mark.parametrize(
    "field",
    ["refusal", "annotations", "audio", "function_call", "tool_calls", "reasoning", "reasoning_content"],
)
def test_what_a_reply_has_beside_its_text_may_come_back_empty(field: str, empty: object) -> None:
    said = {"role": "assistant", "content": "x", field: empty}
    assert request(messages=[said]).messages[0].message() == Message("assistant", "x")
    if field != "tool_calls":
        assert refused(messages=[{**said, field: "something"}]) == ("costeer", "messages", 0, field)


def test_a_part_may_have_a_label_for_a_cache() -> None:
    part = {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert request(messages=[{"role": "user", "content": [part]}]).messages[0].message().content == "x"


def test_mistakes_do_not_hold_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        request(messages=[{"role": "s3cret", "content": ["s3cret"]}], stop=["s3cret"] * 65)
    assert "s3cret" not in str(caught.value)
