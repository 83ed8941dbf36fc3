"""Refusals of a vLLM, recorded and others: which error, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
import respx

from app.errors import (
    ContextLengthExceeded,
    CoSteerError,
    ModelNotFound,
    RateLimited,
    RemoteError,
    RemoteRejected,
    RemoteTimeout,
    RemoteUnavailable,
)
from app.remote.errors import retry_after
from app.remote.vllm import VLLMRemote
from remote.recordings import (
    BASE,
    RECORDINGS,
    as_sse,
    failing_draft,
    recording,
)


@pytest.mark.parametrize(
    ("name", "kind", "status", "param", "code", "says"),
    [
        ("error_auth", RemoteError, 502, None, "remote_unauthorized", ["COSTEER_REMOTE_API_KEY"]),
        ("error_auth_wrong_key", RemoteError, 502, None, "remote_unauthorized", ["COSTEER_REMOTE_API_KEY"]),
        ("error_bad_param", RemoteRejected, 400, "temperature", "remote_rejected", ["must be in [0, 2]"]),
        ("error_bad_type", RemoteRejected, 400, "body.max_tokens", "remote_rejected", ["valid integer"]),
        (
            "error_chat_logprobs_cap",
            RemoteError,
            502,
            None,
            "logprobs_cap",
            ["--max-logprobs", "COSTEER_TOP_LOGPROBS"],
        ),
        (
            "error_logprobs_cap",
            RemoteError,
            502,
            None,
            "logprobs_cap",
            ["--max-logprobs", "COSTEER_TOP_LOGPROBS", "max allowed: 50"],
        ),
        (
            "error_context_length",
            ContextLengthExceeded,
            400,
            "messages",
            "context_length_exceeded",
            ["reduce the length", "4096"],
        ),
        ("error_model_not_found", ModelNotFound, 404, "model", "model_not_found", ["COSTEER_REMOTE_MODEL"]),
        ("error_overloaded", RemoteUnavailable, 503, None, "remote_unavailable", ["Try again"]),
        ("error_scale_out_disabled", RemoteError, 502, None, "remote_unauthorized", ["--enable-scale-out"]),
        ("error_token_out_of_vocab", RemoteRejected, 400, None, "remote_rejected", ["9999999", "vocabulary"]),
    ],
)
async def test_a_recorded_refusal_says_what_to_change(  # noqa: PLR0917
    router: respx.Router,
    remote: VLLMRemote,
    name: str,
    kind: type[CoSteerError],
    status: int,
    param: str | None,
    code: str,
    says: list[str],
) -> None:
    recorded = recording(name)
    router["completions"].respond(recorded["status"], json=recorded["response"])
    ids, error = await failing_draft(remote)
    assert ids == []
    assert type(error) is kind
    assert (error.status, error.param, error.code) == (status, param, code)
    assert all(part in error.message for part in says), error.message


def test_every_recorded_refusal_is_tested() -> None:
    marks = test_a_recorded_refusal_says_what_to_change.pytestmark  # type: ignore[attr-defined]
    (table,) = [mark.args[1] for mark in marks if mark.name == "parametrize"]
    assert {row[0] for row in table} == {path.stem for path in RECORDINGS.glob("error_*.json")} - {
        "error_stream_logprobs_cap.request"
    }


@pytest.mark.parametrize(
    ("answer", "kind", "status", "says"),
    [
        (httpx.Response(404, json={"detail": "Not Found"}), RemoteError, 502, "COSTEER_REMOTE_BASE_URL"),
        (httpx.Response(404, html="<h1>404</h1>"), RemoteError, 502, "COSTEER_REMOTE_BASE_URL"),
        (httpx.Response(408, content=b""), RemoteTimeout, 408, "Try again"),
        (httpx.Response(409, json={"error": {"message": "locked"}}), RemoteRejected, 409, "locked"),
        (httpx.Response(413, content=b""), RemoteRejected, 413, "refuses"),
        (httpx.Response(422, json={"error": {"message": "no"}}), RemoteRejected, 422, "refuses"),
        (httpx.Response(429, json={"error": {"message": "slow down"}}), RateLimited, 429, "slow down"),
        (httpx.Response(418, content=b""), RemoteError, 502, "status 418"),
        (httpx.Response(500, html="<h1>Oops</h1>"), RemoteError, 502, "status 500"),
        (httpx.Response(502, content=b""), RemoteError, 502, "status 502"),
        (httpx.Response(503, json=["not an object"]), RemoteUnavailable, 503, "Try again"),
        (httpx.Response(504, content=b""), RemoteTimeout, 504, "Try again"),
        (httpx.Response(307, headers={"Location": BASE}), RemoteError, 502, "COSTEER_REMOTE_BASE_URL"),
    ],
)
async def test_any_other_refusal_is_ours_too(  # noqa: PLR0917
    router: respx.Router,
    remote: VLLMRemote,
    answer: httpx.Response,
    kind: type[CoSteerError],
    status: int,
    says: str,
) -> None:
    router["completions"].mock(return_value=answer)
    _, error = await failing_draft(remote)
    assert (type(error), error.status) == (kind, status)
    assert says in error.message


@pytest.mark.parametrize("status", [400, 408, 409, 413, 422, 429, 503, 504])
async def test_a_refusal_in_the_stream_is_the_same_as_one_before_it(
    router: respx.Router, remote: VLLMRemote, status: int
) -> None:
    refused = {"error": {"message": "no", "type": "x", "param": None, "code": status}}
    router["completions"].respond(status, json=refused)
    _, before = await failing_draft(remote)
    router["completions"].respond(200, content=as_sse([refused]))
    _, within = await failing_draft(remote)
    assert (type(before), before.body()) == (type(within), within.body())
    assert before.status == within.status == status


@pytest.mark.parametrize(
    ("kind", "told"), [("requests", "requests"), ("tokens", "tokens"), ("TooManyRequests", "requests")]
)
async def test_a_rate_limit_has_openai_s_code_and_type(
    router: respx.Router, remote: VLLMRemote, kind: str, told: str
) -> None:
    router["completions"].respond(429, json={"error": {"message": "slow down", "type": kind}})
    _, error = await failing_draft(remote)
    assert (error.code, error.type) == ("rate_limit_exceeded", told)


@pytest.mark.parametrize("status", [429, 503])
async def test_the_remote_s_own_time_to_wait_is_kept(
    router: respx.Router, remote: VLLMRemote, status: int
) -> None:
    router["completions"].respond(status, headers={"Retry-After": "7"})
    _, error = await failing_draft(remote)
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("1.5", 1.5), ("120", 120.0), ("-3", 0.0)]
    + [(nonsense, None) for nonsense in ("", "soon", "nan", "inf", "1e999", "Wed, 99 Foo 2020")],
)
def test_seconds_to_wait_are_read(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_a_date_to_wait_for_is_read() -> None:
    later = datetime.now(UTC) + timedelta(minutes=2)
    waits = retry_after(format_datetime(later, usegmt=True))
    assert waits is not None and 100 < waits <= 120
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
