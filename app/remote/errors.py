"""Maps a remote's error responses to our errors: which setting to change, and the status for clients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from app.errors import (
    ContextLengthExceeded,
    CoSteerError,
    ModelNotFound,
    NotFound,
    RateLimited,
    RemoteError,
    RemoteRejected,
    RemoteTimeout,
    RemoteUnavailable,
    RemoteUnreachable,
)
from app.network.outgoing import Server

REMOTE = Server(
    "the remote",
    base_url="COSTEER_REMOTE_BASE_URL",
    read_timeout="COSTEER_REMOTE_READ_TIMEOUT",
    failed=RemoteError,
    unavailable=RemoteUnreachable,
    timed_out=RemoteTimeout,
)

# Statuses that a client can act on, and that it gets unchanged.
REJECTIONS = {
    400,
    409,
    413,
    422,
}
# Authentication is between this proxy and the remote, whatever the client sent.
OURS = {401, 403}
# Why a reply ended that was not finished: its vLLM was paused or put to sleep, or could not go on.
GIVEN_UP = {"abort", "error"}


def refusal(status: int, body: bytes, headers: Mapping[str, str], *, forwarded: bool = False) -> CoSteerError:
    """An error response as an exception. `forwarded`: it answers a request that the client wrote itself."""
    try:
        error = orjson.loads(body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        error = f"HTTP status {status}"
    return from_error(
        error, status, retry_after=retry_after(headers.get("retry-after", "")), forwarded=forwarded
    )


def web_page() -> RemoteError:
    """What is said of an answer that is a page for people."""
    return RemoteError(
        "The remote's answer is not a vLLM's but a web page, as a gateway's to sign in. Set "
        "COSTEER_REMOTE_HEADERS to the headers that it asks for, or correct COSTEER_REMOTE_BASE_URL."
    )


def check_finished(finish_reason: str | None) -> None:
    """Raise RemoteError where the remote has given a reply up: what came of it is not all."""
    if finish_reason in GIVEN_UP:
        raise RemoteError(
            f"The remote gave the reply up before it was finished (finish_reason {finish_reason}), as one "
            "that is paused does. Try again."
        )


def is_for_the_client(status: int, body: bytes) -> bool:
    """Whether an error response goes to the client unchanged: it is OpenAI's own error object."""
    if status < 400 or status in OURS:
        return False
    try:
        error = orjson.loads(body)["error"]
        return all(isinstance(error[name], str) for name in ("message", "type")) and all(
            isinstance(error[name], str | None) for name in ("param", "code")
        )
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def from_error(
    error: Any,
    status: int,
    *,
    retry_after: float | None = None,
    forwarded: bool = False,
    begun: bool = False,
) -> CoSteerError:
    """vLLM's error, an object or (401) a bare string, as ours.

    `begun`: it stands behind a part of the answer. The request was taken then, so it is not what is wrong,
    though an older vLLM calls each failure there a bad request.
    """
    fields = error if isinstance(error, dict) else {"message": str(error)}
    message = str(fields.get("message", "no message"))
    param = given if isinstance(given := fields.get("param"), str) else None
    status = code if isinstance(code := fields.get("code"), int) else status
    known = _known(status, message, param, forwarded=forwarded) if not begun else None
    if known is not None:
        return known
    if status == 429:
        limited = RateLimited(f"The remote takes no more for now: {message}", retry_after=retry_after)
        # OpenAI's error type says which rate limit it was.
        limited.type = "tokens" if fields.get("type") == "tokens" else limited.type
        return limited
    if status == 503:
        return RemoteUnavailable(
            f"The remote is not available: {message}. Try again later.", retry_after=retry_after
        )
    if status in {408, 504}:
        return RemoteTimeout(f"The remote ran out of time: {message}. Try again.", status=status)
    if not begun and (status in REJECTIONS or (forwarded and 400 <= status < 500)):
        return RemoteRejected(f"The remote refuses the request: {message}", param=param, status=status)
    return RemoteError(f"The remote failed with status {status}: {message}")


def retry_after(value: str) -> float | None:
    """Seconds to wait, from a Retry-After header: a number of them or a date. None if it is neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _known(status: int, message: str, param: str | None, *, forwarded: bool) -> CoSteerError | None:
    """The errors of which we can say more than the remote does; None for all others."""
    if status in OURS:
        return RemoteError(
            f"The remote does not let us in: {message}. Set COSTEER_REMOTE_API_KEY, or "
            "COSTEER_REMOTE_HEADERS where a gateway asks for headers of its own.",
            code="remote_unauthorized",
        )
    if 300 <= status < 400:
        return RemoteError(
            "The remote answers from another address, and redirects are not followed. "
            "Set COSTEER_REMOTE_BASE_URL to that address, or COSTEER_REMOTE_HEADERS where a gateway sends "
            "those without its headers to sign in."
        )
    if status == 404:
        return _not_found(message, param, forwarded=forwarded)
    if "sample logprobs" in message and not forwarded:
        return RemoteError(
            f"{message}. Start vLLM with a higher --max-logprobs, or lower COSTEER_TOP_LOGPROBS.",
            code="logprobs_cap",
        )
    if param == "input_tokens" or "maximum context length" in message:
        return ContextLengthExceeded(message)
    return None


def _not_found(message: str, param: str | None, *, forwarded: bool) -> CoSteerError:
    if param == "model":
        return ModelNotFound(f"{message} Set COSTEER_REMOTE_MODEL to a model that the remote serves.")
    if forwarded:
        return NotFound(
            f"The remote has nothing there: {message}. It may serve no model for it; its path should be "
            "below COSTEER_REMOTE_BASE_URL, which should end in a vLLM's /v1.",
            code="not_found",
        )
    return RemoteError("The remote has no such path. COSTEER_REMOTE_BASE_URL should end in a vLLM's /v1.")
