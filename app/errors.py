"""The exception tree, and its one mapping to OpenAI's error object.

CoSteerError
├── InvalidRequest            400  the client sent something that cannot be honoured
│   ├── ContextLengthExceeded 400
│   ├── Unsupported           400  the embedded model cannot do this; a vLLM can
│   ├── ProfileExists         409
│   └── LastAdminKey          409  without one, requests without a key open everything
├── Unauthorized              401  no API key, or one that does not exist
├── Forbidden                 403  the API key is another profile's
├── NotFound                  404
│   ├── ProfileNotFound
│   ├── HistoryItemNotFound
│   ├── KeyNotFound
│   ├── ResponseNotFound
│   └── ModelNotFound
├── TooManyRequests           429  this proxy already answers as many requests as it takes
├── RemoteError               502  the remote answered wrongly
│   ├── RateLimited           429  the remote takes no more requests for now
│   ├── RemoteUnavailable     503  overloaded
│   │   └── RemoteUnreachable 503  no connection: nothing was sent
│   ├── RemoteTimeout         504
│   ├── RemoteRejected             its own 4xx, passed on
│   └── TokenizerMismatch     502  the vocabularies of remote and local model cannot be matched
├── TrustedError              502  the server of the small model answered wrongly
│   ├── TrustedUnavailable    503
│   └── TrustedTimeout        504
├── SettingsError             500  a setting is wrong, or does not suit; raised before serving
│   └── NotInstalled               what it asks for takes packages that are not installed
├── WeightsError              500  model weights are unavailable; raised before serving
├── ProfileFileError          400  a profile file does not validate
└── StoreError                500  the database cannot be used; 503 while it is locked
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class CoSteerError(Exception):
    """Base of all errors. `message` says what is wrong and what to change; it never quotes private data.

    `retry_after` is in seconds, where the remote says when to retry.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    param: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param if param is not None else self.param
        self.code = code if code is not None else self.code
        self.status = status if status is not None else self.status
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """OpenAI's error object: `{"error": {message, type, param, code}}`."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class InvalidRequest(CoSteerError):
    status = 400
    type = "invalid_request_error"


class ContextLengthExceeded(InvalidRequest):
    code = "context_length_exceeded"
    param = "messages"


class Unsupported(InvalidRequest):
    code = "unsupported"


class ProfileExists(InvalidRequest):
    status = 409
    code = "profile_exists"
    param = "id"


class LastAdminKey(InvalidRequest):
    status = 409
    code = "last_admin_key"


class Unauthorized(CoSteerError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class Forbidden(CoSteerError):
    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class NotFound(CoSteerError):
    status = 404
    type = "invalid_request_error"


class ProfileNotFound(NotFound):
    code = "profile_not_found"
    param = "profile"


class HistoryItemNotFound(NotFound):
    code = "history_item_not_found"
    param = "item_id"


class KeyNotFound(NotFound):
    code = "key_not_found"


class ResponseNotFound(NotFound):
    code = "response_not_found"
    param = "response_id"


class ModelNotFound(NotFound):
    code = "model_not_found"
    param = "model"


class TooManyRequests(CoSteerError):
    status = 429
    type = "requests"
    code = "rate_limit_exceeded"


class RemoteError(CoSteerError):
    """`elsewhere`: another remote of the same model can go on at once."""

    elsewhere = False
    status = 502
    type = "upstream_error"
    code = "remote_error"


class RateLimited(RemoteError):
    status = 429
    type = "requests"  # OpenAI's; "tokens" is for a limit on tokens
    code = "rate_limit_exceeded"


class RemoteUnavailable(RemoteError):
    status = 503
    code = "remote_unavailable"


class RemoteUnreachable(RemoteUnavailable):
    """Nothing was sent."""


class RemoteTimeout(RemoteError):
    status = 504
    code = "remote_timeout"


class RemoteRejected(RemoteError):
    type = "invalid_request_error"
    code = "remote_rejected"


class TokenizerMismatch(RemoteError):
    code = "tokenizer_mismatch"


class TrustedError(CoSteerError):
    """Of the server that the small model runs on. It quotes nothing of what that server says: it was sent
    private text."""

    status = 502
    type = "upstream_error"
    code = "trusted_error"


class TrustedUnfit(TrustedError):
    """It answers, and something has to be changed there or here: it is not what the settings say."""


class TrustedUnavailable(TrustedError):
    status = 503
    code = "trusted_unavailable"


class TrustedTimeout(TrustedError):
    status = 504
    code = "trusted_timeout"


class SettingsError(CoSteerError):
    """No client ever sees it."""


class NotInstalled(SettingsError):
    """Names the packages, and what installs them."""


class WeightsError(CoSteerError):
    code = "weights_error"


class ProfileFileError(CoSteerError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_profile_file"


class StoreError(CoSteerError):
    """Its `str` names the `path` of the file; `message`, which clients are sent, does not say where it is.

    `reason` says why, in a few words.
    """

    code = "store_error"

    def __init__(
        self,
        message: str,
        *,
        path: Path | None = None,
        reason: str = "it cannot be used",
        status: int | None = None,
    ) -> None:
        super().__init__(f"The database: {message}" if path else message, status=status)
        self._text = f"{path}: {message}" if path else message
        self.reason = reason

    def __str__(self) -> str:
        return self._text
