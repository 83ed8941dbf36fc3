"""Every setting of the product, from the environment (prefix COSTEER_) or a .env file."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.logs import Form, Level
from app.network.proxy import Proxy, proxy_for, proxy_url
from app.profiles.fields import StrengthIn
from app.steering.strength import AUTO

EMBEDDED = "embedded"
PREFIX = "COSTEER_"
ENV_FILE = ".env"
HOST_NAME = re.compile(r"[a-z0-9._-]+|[0-9a-f:]+")
# As a browser names it: a scheme, a host, and a port unless it is the scheme's own. No path.
ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:[0-9]+)?|[a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](:[0-9]+)?"
)


class Settings(BaseSettings):
    """Read by main.py, server.py and cli.py only; every other part is handed what it needs.

    An empty variable is as good as none. An unknown one is a mistake in .env, see also `unknown_names`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        extra="forbid",
        dotenv_filtering="match_prefix",  # other programs may keep theirs in the same .env
        hide_input_in_errors=True,
    )

    # Where it listens.
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # Says that whoever reaches the port may use everything, also where it listens beyond this machine.
    trust_network: bool = False
    # Host names under which it may be asked without an API key, besides this machine's own.
    allowed_hosts: str = ""
    # Web pages (https://app.example) that may call it from a browser.
    cors_origins: str = ""

    # Replies that are written at once; requests that are passed on at once; and of each, how many may wait.
    max_running: Annotated[int, Field(ge=1)] = 8
    max_passed_on: Annotated[int, Field(ge=1)] = 64
    max_waiting: Annotated[int, Field(ge=0)] = 64

    # What the log says, and how.
    log_level: Level = "warning"
    log_format: Form = "text"

    # The remote: "embedded", or a vLLM's OpenAI root such as http://host:8001/v1.
    remote_base_url: Annotated[str, Field(repr=False)] = EMBEDDED  # it may hold a password
    # The model's name at the remote; empty takes the first one it lists.
    remote_model: str = ""
    # Whether a request may name any model: what the remote does not list then stands for the steered one.
    any_model: bool = False
    remote_api_key: SecretStr = SecretStr("")
    # The proxy that it is reached through, whatever the environment says; see app/proxy.py.
    remote_proxy: SecretStr = SecretStr("")
    # Where its tokenizer is another one than the local model's: the hub id or folder of a model that has it.
    # Empty asks the remote itself.
    remote_tokenizer: str = ""
    # Seconds to connect, and seconds without a byte, before the remote counts as gone.
    remote_connect_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    remote_read_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    # Seconds between two tokens before a stream counts as stalled.
    remote_token_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0
    # Seconds that a reply which has begun waits for a remote that failed, asking it again; 0 ends it at once.
    remote_patience: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0

    # Models in this process: bundle name, hub id or path.
    embedded_model: str = "qwen2.5-coder-0.5b-instruct"
    local_model: str = "qwen2.5-coder-0.5b-instruct"
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # Prompt plus reply, in tokens, that a model in this process takes.
    max_model_len: Annotated[int, Field(ge=256)] = 8192

    # Steering.
    strength: StrengthIn = AUTO
    top_logprobs: Annotated[int, Field(ge=2, le=1000)] = 20
    # Tokens of profile and history that the local model reads.
    max_context_tokens: Annotated[int, Field(ge=0)] = 1024
    # Items of the history, the best matches, that are offered to it; 0 leaves the history out.
    history_top_k: Annotated[int, Field(ge=0, le=100)] = 5
    # Tokens that one remote request drafts, and drafted tokens gathered before a local pass (0: score at
    # once whatever is there). Unset, both follow from where the remote runs.
    draft_length: Annotated[int, Field(ge=1, le=4096)] | None = None
    verify_batch: Annotated[int, Field(ge=0, le=256)] | None = None

    # Two knobs that trade personalisation for speed; `costeer bench` measures both. Where the remote's
    # likeliest token has at least this probability, nothing is steered; unset, everything is.
    confidence_gate: Annotated[float, Field(gt=0, le=1)] | None = None
    # A drafted token is kept when it is at least so many times as likely as the best one; 1 keeps the best.
    lenience: Annotated[float, Field(gt=0, le=1)] = 1.0
    # When the local model fails, or keeps a drafted token waiting for longer than `local_patience`: write on
    # without steering, or end the reply with an error (and wait as long as it takes).
    on_local_failure: Literal["unsteered", "error"] = "unsteered"
    # Seconds; reading a long profile for the first time may take many on a slow processor.
    local_patience: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    # Memory that the KV caches of a model in this process may take up, in MiB.
    kv_cache_mib: Annotated[int, Field(ge=0)] = 512

    # Where things lie: the database, and the weights.
    data_dir: Path = Path(platformdirs.user_data_dir("costeer"))
    cache_dir: Path = Path(platformdirs.user_cache_dir("costeer"))
    # A folder with GGUF files that you already have; looked at before any download.
    weights_dir: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, object]) -> dict[str, object]:
        """Spaces around a value mean nothing, and a value of spaces is as good as none."""
        stripped = {
            name: value.strip() if isinstance(value, str) else value for name, value in values.items()
        }
        return {name: value for name, value in stripped.items() if value != "" or values[name] == ""}

    @field_validator(
        "log_level", "log_format", "device", "dtype", "on_local_failure", "strength", mode="before"
    )
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("remote_base_url")
    @classmethod
    def _absolute_http_url(cls, value: str) -> str:
        value = EMBEDDED if value.lower() == EMBEDDED else value.rstrip("/")
        if value != EMBEDDED and not _is_http(value):
            raise ValueError("must be 'embedded' or start with http:// or https://, like http://host:8001/v1")
        if value != EMBEDDED and re.search(r"[?#]|//[^/]*/.*@", value):
            raise ValueError(
                "must end in its path, like http://host:8001/v1; special characters of a password are "
                "percent-encoded"
            )
        return value

    @field_validator("remote_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        key = value.get_secret_value().strip()
        if not (key.isascii() and key.isprintable()):
            raise ValueError("must be plain ASCII on one line, since it travels in an HTTP header")
        if key and urlsplit(info.data.get("remote_base_url", "")).username is not None:
            raise ValueError(
                "must be empty where COSTEER_REMOTE_BASE_URL names a user: both travel in the same header"
            )
        return SecretStr(key)

    @field_validator("remote_proxy")
    @classmethod
    def _of_a_proxy(cls, value: SecretStr) -> SecretStr:
        named = value.get_secret_value()
        return SecretStr(proxy_url(named)) if named.strip() else SecretStr("")

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, value: str) -> str:
        if not all(HOST_NAME.fullmatch(name) for name in listed(value)):
            raise ValueError("must be host names or addresses without a port, separated by commas")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        if not all(ORIGIN.fullmatch(origin) for origin in listed(value)):
            raise ValueError(
                "must be origins like https://app.example or http://localhost:3000, separated by commas"
            )
        return value

    @field_validator("data_dir", "cache_dir", "weights_dir")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser() if value is not None else None
        except RuntimeError as error:  # ~nobody
            raise ValueError("starts with ~ and a user that there is none of") from error

    @property
    def hosts(self) -> frozenset[str]:
        """`allowed_hosts`, one by one."""
        return frozenset(listed(self.allowed_hosts))

    @property
    def origins(self) -> frozenset[str]:
        """`cors_origins`, one by one."""
        return frozenset(listed(self.cors_origins))

    def proxy(self, environ: Mapping[str, str] = os.environ) -> Proxy | None:
        """The proxy that the remote is reached through. Raises CoSteerError for a variable of no use."""
        if self.remote_base_url == EMBEDDED:
            return None
        return proxy_for(self.remote_base_url, self.remote_proxy.get_secret_value(), environ)

    def model_names(self) -> list[str]:
        """The models that run in this process, each once."""
        embedded = [self.embedded_model] if self.remote_base_url == EMBEDDED else []
        return list(dict.fromkeys([self.local_model, *embedded]))


def listed(value: str) -> list[str]:
    """What is separated by commas, in small letters."""
    return [part.strip().lower() for part in value.split(",") if part.strip()]


def environment_names(environ: Mapping[str, str] = os.environ) -> set[str]:
    """The variables of the environment, in capitals."""
    return {name.upper() for name in environ}


def unknown_names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable that has our prefix and is no setting.

    Not an error as in .env: others write there too, Kubernetes for one (COSTEER_SERVICE_HOST).
    """
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    unknown = [name for name in environ if name.upper().startswith(PREFIX) and name.upper() not in known]
    return [f"{name} is not a setting.{suggestion(name)}" for name in unknown]


def suggestion(name: str) -> str:
    """` Did you mean COSTEER_...?` for a misspelt name, else nothing."""
    known = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    return f" Did you mean {close[0]}?" if close else ""


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
