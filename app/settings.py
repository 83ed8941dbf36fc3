"""Every setting of the product, from the environment (prefix COSTEER_) or a .env file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EMBEDDED = "embedded"
PREFIX = "COSTEER_"


class Settings(BaseSettings):
    """Read by main.py, server.py and cli.py only; every other part is handed what it needs.

    An empty variable is as good as none. An unknown one is a mistake in .env, see also `unknown_names`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_file=".env",
        env_file_encoding="utf-8-sig",
        extra="forbid",
        dotenv_filtering="match_prefix",  # other programs may keep theirs in the same .env
        hide_input_in_errors=True,
    )

    # Where it listens.
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000

    # The remote: "embedded", or a vLLM's OpenAI root such as http://host:8001/v1.
    remote_base_url: str = EMBEDDED
    # The model's name at the remote; empty takes the first one it lists.
    remote_model: str = ""
    remote_api_key: SecretStr = SecretStr("")
    # Seconds to connect, and seconds without a byte, before the remote counts as gone.
    remote_connect_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    remote_read_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0

    # Models in this process: bundle name, hub id or path.
    embedded_model: str = "qwen2.5-coder-0.5b-instruct"
    local_model: str = "qwen2.5-coder-0.5b-instruct"
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # Prompt plus reply, in tokens, that a model in this process takes.
    max_model_len: Annotated[int, Field(ge=256)] = 8192

    # Steering.
    strength: Annotated[float, Field(ge=0, le=4)] = 0.5
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
    # Memory that the KV caches of a model in this process may take up, in MiB.
    kv_cache_mib: Annotated[int, Field(ge=0)] = 512

    # Where things lie: the database, and the weights.
    data_dir: Path = Path(platformdirs.user_data_dir("costeer"))
    cache_dir: Path = Path(platformdirs.user_cache_dir("costeer"))
    # A folder with GGUF files that you already have; looked at before any download.
    weights_dir: Path | None = None

    @field_validator("remote_base_url")
    @classmethod
    def _absolute_http_url(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if value != EMBEDDED and not _is_http(value):
            raise ValueError("must be 'embedded' or start with http:// or https://, like http://host:8001/v1")
        return value

    @field_validator("remote_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value().strip()
        if not (key.isascii() and key.isprintable()):
            raise ValueError("must be plain ASCII on one line, since it travels in an HTTP header")
        return SecretStr(key)

    @field_validator("data_dir", "cache_dir", "weights_dir")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser() if value is not None else None
        except RuntimeError as error:  # ~nobody
            raise ValueError("starts with ~ and a user that there is none of") from error

    def model_names(self) -> list[str]:
        """The models that run in this process, each once."""
        embedded = [self.embedded_model] if self.remote_base_url == EMBEDDED else []
        return list(dict.fromkeys([self.local_model, *embedded]))


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
