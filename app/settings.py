"""Every setting of the product, from the environment (prefix COSTEER_) or a .env file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EMBEDDED = "embedded"


class Settings(BaseSettings):
    """Read by main.py and cli.py only; every other part is handed what it needs."""

    model_config = SettingsConfigDict(
        env_prefix="COSTEER_", env_file=".env", env_file_encoding="utf-8", extra="forbid"
    )

    # Where it listens.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000

    # The remote: "embedded", or a vLLM's OpenAI root such as http://host:8001/v1.
    remote_base_url: str = EMBEDDED
    # The model's name at the remote; empty takes the first one it lists.
    remote_model: str = ""
    remote_api_key: SecretStr = SecretStr("")
    # Seconds to connect, and seconds without a byte, before the remote counts as gone.
    remote_connect_timeout: Annotated[float, Field(gt=0)] = 5.0
    remote_read_timeout: Annotated[float, Field(gt=0)] = 120.0

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
    # Tokens that one remote request drafts, and drafted tokens gathered before a local pass (0: score at
    # once whatever is there). Unset, both follow from where the remote runs.
    draft_length: Annotated[int, Field(ge=1, le=4096)] | None = None
    verify_batch: Annotated[int, Field(ge=0, le=256)] | None = None

    # Where things lie: the database, and the weights.
    data_dir: Path = Path(platformdirs.user_data_dir("costeer"))
    cache_dir: Path = Path(platformdirs.user_cache_dir("costeer"))
    # A folder with GGUF files that you already have; looked at before any download.
    weights_dir: Path | None = None

    @field_validator("remote_base_url")
    @classmethod
    def _absolute_http_url(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if value != EMBEDDED and not value.startswith(("http://", "https://")):
            raise ValueError("must be 'embedded' or start with http:// or https://, like http://host:8001/v1")
        return value

    @field_validator("data_dir", "cache_dir", "weights_dir")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @field_validator("weights_dir", "draft_length", "verify_batch", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    def model_names(self) -> list[str]:
        """The models that run in this process, each once."""
        embedded = [self.embedded_model] if self.remote_base_url == EMBEDDED else []
        return list(dict.fromkeys([self.local_model, *embedded]))
