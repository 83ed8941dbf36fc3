"""All settings, read from environment variables (prefix COSTEER_), a .env file or config.toml."""

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
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.logs import Form, Level
from app.network.address import is_loopback, place, without_user
from app.network.proxy import Proxy, proxy_for, proxy_url
from app.profiles import disclosure as disclosed
from app.profiles.fields import StrengthIn
from app.settings.aliases import read_aliases
from app.settings.config_file import NAMED_BY
from app.settings.layers import ConfigSource, Filled
from app.settings.remote_headers import read_headers, read_name
from app.steering.strength import AUTO

EMBEDDED = "embedded"
PREFIX = "COSTEER_"
ENV_FILE = ".env"
# Settings that may hold a password or a key.
SECRETS = (
    "api_key",
    "local_api_key",
    "local_base_url",
    "remote_api_key",
    "remote_headers",
    "remote_proxy",
    "remote_base_url",
)
HOST_NAME = re.compile(r"[a-z0-9._-]+|[0-9a-f]*(:[0-9a-f]*){2,}")
# An Origin header's value: a scheme, a host, and a port unless it is the scheme's default. No path.
ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:[0-9]+)?|[a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](:[0-9]+)?"
)


class Settings(BaseSettings):
    """Used by main.py, assembly.py and cli/ only; every other module gets the values it needs as arguments.

    A value goes before that of a later source: code, the environment, .env, config.toml. An empty one counts
    as unset. An unknown name is an error in .env and in config.toml; see also `unknown_names`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        extra="forbid",
        dotenv_filtering="match_prefix",  # other programs may keep variables in the same .env
        hide_input_in_errors=True,
    )

    # The API key that `costeer chat` sends to the server.
    api_key: SecretStr = SecretStr("")

    # The address to listen on.
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # Whether anybody who reaches the port may use everything, even if it listens beyond this machine.
    trust_network: bool = False
    # Host headers accepted without an API key, besides this machine's own names.
    allowed_hosts: str = ""
    # Origins (https://app.example) whose web pages may call the API from a browser.
    cors_origins: str = ""

    # Processes that serve. More than one need the small model on a trusted server, and a vLLM as the remote.
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    # Limits of concurrency, of each worker: replies written, requests passed on; and the queue of each.
    max_running: Annotated[int, Field(ge=1)] = 8
    max_passed_on: Annotated[int, Field(ge=1)] = 64
    max_waiting: Annotated[int, Field(ge=0)] = 64

    # The log's level and format.
    log_level: Level = "warning"
    log_format: Form = "text"

    # The remote: "embedded", or the base URL of a vLLM's OpenAI API, such as http://host:8001/v1; or several
    # of one model, separated by commas.
    remote_base_url: Annotated[str, Field(repr=False)] = EMBEDDED  # it may hold a password
    # The name of the remote's model that is steered; empty means the first one it lists.
    remote_model: str = ""
    # Whether a request may name any model: a name that the remote does not list then means the steered one.
    any_model: bool = False
    # Names that clients have built in, each with the model that it stands for, perhaps with a profile.
    model_aliases: str = ""
    remote_api_key: SecretStr = SecretStr("")
    # Further headers of every request to it: lines `Name: value`, or a JSON object; see remote_headers.py.
    remote_headers: SecretStr = SecretStr("")
    # The name of a header that has a random id for each conversation, for a router; empty: none is sent.
    remote_session_header: str = ""
    # The HTTP or SOCKS proxy to the remote; overrides the environment's, see app/network/proxy.py.
    remote_proxy: SecretStr = SecretStr("")
    # If the remote's tokenizer differs from the local model's: the hub id or folder of a model that has it.
    # Empty asks the remote itself.
    remote_tokenizer: str = ""
    # Timeouts in seconds: to connect to the remote, and between two bytes from it.
    remote_connect_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    remote_read_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    # Timeout in seconds between two tokens of a stream.
    remote_token_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0
    # Seconds during which a reply that has begun retries a failed remote; 0 ends it at once.
    remote_patience: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0

    # The small model on a server instead of in this process. That server reads private text.
    # Why its URL may be http beyond this machine, in words; empty means that it may not.
    local_plaintext: str = ""
    # Whether it is meant that the remote is on the same server, which then reads private text.
    local_same_server: bool = False
    # The base URL of that server's OpenAI API, a vLLM's; empty: the small model runs in this process.
    local_base_url: Annotated[str, Field(repr=False)] = ""  # it may hold a password
    local_api_key: SecretStr = SecretStr("")
    # The hub id or folder of a model with its tokenizer; empty means the one that the server has loaded.
    local_tokenizer: str = ""

    # Models that run in this process: bundle name, hub id or path.
    embedded_model: str = "qwen2.5-coder-0.5b-instruct"
    local_model: str = "qwen2.5-coder-0.5b-instruct"
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    dtype: Literal["auto", "int8", "float32", "bfloat16", "float16"] = "auto"
    # Tokens of prompt plus reply that a model in this process accepts.
    max_model_len: Annotated[int, Field(ge=256)] = 8192

    # Steering.
    strength: StrengthIn = AUTO
    top_logprobs: Annotated[int, Field(ge=2, le=1000)] = 20
    # Maximum tokens of profile and history in the local model's prompt.
    max_context_tokens: Annotated[int, Field(ge=0)] = 2048
    # History items retrieved for that prompt, best matches first; 0 leaves the history out.
    history_top_k: Annotated[int, Field(ge=0, le=100)] = 5
    # What replies may tell the remote of any profile: the least level of all, and how much one conversation
    # may tell, in nats; unset, there is no bound. A profile or a request can be stricter.
    disclosure: disclosed.Level = "open"
    disclosure_budget: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    # Tokens that one remote request drafts, and draft tokens gathered before a local forward pass (0: score
    # at once whatever has arrived). Unset, both follow from where the remote runs.
    draft_length: Annotated[int, Field(ge=1, le=4096)] | None = None
    verify_batch: Annotated[int, Field(ge=0, le=256)] | None = None

    # Two settings that trade personalisation for speed; `costeer bench` measures both. Where the remote's
    # likeliest token has at least this probability, nothing is steered; unset, everything is.
    confidence_gate: Annotated[float, Field(gt=0, le=1)] | None = None
    # The remote's own token stays unless another one is better by more than so many nats, steered; unset, the
    # strength "auto" has a margin of its own and a number none.
    margin: Annotated[float, Field(ge=0, le=10)] | None = None
    # When the local model fails: go on unsteered, or end the reply with an error. With "unsteered", a draft
    # token that waits longer than `local_patience` counts as a failure; with "error" there is no timeout.
    on_local_failure: Literal["unsteered", "error"] = "unsteered"
    # Seconds; prefilling a long profile for the first time may take many on a slow processor.
    local_patience: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    # Memory for the KV caches of one model in this process, in MiB.
    kv_cache_mib: Annotated[int, Field(ge=0)] = 512

    # Folders: of the database, and of downloaded weights.
    data_dir: Path = Path(platformdirs.user_data_dir("costeer"))
    cache_dir: Path = Path(platformdirs.user_cache_dir("costeer"))
    # A folder with GGUF files that you already have; searched before any download.
    weights_dir: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources, each before those behind it."""
        return init_settings, Filled(env_settings), Filled(dotenv_settings), ConfigSource(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, object]) -> dict[str, object]:
        """Strips white space around values; a value of white space alone counts as unset."""
        stripped = {
            name: value.strip() if isinstance(value, str) else value for name, value in values.items()
        }
        return {name: value for name, value in stripped.items() if value != "" or values[name] == ""}

    @field_validator(
        "log_level",
        "log_format",
        "device",
        "dtype",
        "on_local_failure",
        "strength",
        "disclosure",
        mode="before",
    )
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("remote_base_url")
    @classmethod
    def _absolute_http_url(cls, value: str) -> str:
        if value.lower() == EMBEDDED:
            return EMBEDDED
        urls = _urls(value)
        if not urls or not all(map(_is_http, urls)):
            raise ValueError(
                "must be 'embedded' or start with http:// or https://, like http://host:8001/v1, several of "
                "them separated by commas; a comma in a password is %2C"
            )
        if any(re.search(r"[?#]|//[^/]*/.*@", url) for url in urls):
            raise ValueError(
                "must end in its path, like http://host:8001/v1; special characters of a password are "
                "percent-encoded"
            )
        if len({without_user(url) for url in urls}) < len(urls):
            raise ValueError("must name each remote once")
        return ",".join(urls)

    @field_validator("local_base_url")
    @classmethod
    def _may_read_private_text(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return value
        value = value.rstrip("/")
        if not _is_http(value) or re.search(r"[?#,]|//[^/]*/.*@", value):
            raise ValueError("must be a URL that ends in its path, like https://gpu.home:8002/v1")
        parts = urlsplit(value)
        if (
            parts.scheme == "http"
            and not is_loopback(parts.hostname or "")
            and not info.data.get("local_plaintext")
        ):
            raise ValueError(
                "must start with https:// beyond this machine, since private text is sent there. Or set "
                "COSTEER_LOCAL_PLAINTEXT to the reason why nobody can read along, as both containers are on "
                "one machine"
            )
        remotes = _urls(info.data.get("remote_base_url", EMBEDDED))
        if not info.data.get("local_same_server") and place(value) in map(place, remotes):
            raise ValueError(
                "must not be the server of COSTEER_REMOTE_BASE_URL, which must not read private text. If it "
                "may, set COSTEER_LOCAL_SAME_SERVER to True"
            )
        return value

    @field_validator("remote_api_key", "local_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        key = value.get_secret_value().strip()
        if not (key.isascii() and key.isprintable()):
            raise ValueError("must be plain ASCII on one line, since it travels in an HTTP header")
        url = f"{str(info.field_name).partition('_')[0]}_base_url"
        urls = _urls(info.data.get(url, ""))
        if key and any(urlsplit(one).username is not None for one in urls):
            raise ValueError(
                f"must be empty where {PREFIX}{url.upper()} names a user: both travel in the same header"
            )
        return SecretStr(key)

    @field_validator("remote_headers")
    @classmethod
    def _of_the_remote(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        named = {name.lower() for name in read_headers(value.get_secret_value())}
        key: SecretStr = info.data.get("remote_api_key", SecretStr(""))
        urls = _urls(info.data.get("remote_base_url", ""))
        user = next((user for url in urls if (user := urlsplit(url).username) is not None), None)
        if "authorization" in named and (key.get_secret_value() or user is not None):
            raise ValueError(
                "cannot have authorization, in which COSTEER_REMOTE_API_KEY or the user of "
                "COSTEER_REMOTE_BASE_URL travels; remove one of them"
            )
        return value

    @field_validator("remote_session_header")
    @classmethod
    def _name_of_a_header(cls, value: str, info: ValidationInfo) -> str:
        headers: SecretStr = info.data.get("remote_headers", SecretStr(""))
        if read_name(value).lower() in map(str.lower, read_headers(headers.get_secret_value())):
            raise ValueError("must be another header than those of COSTEER_REMOTE_HEADERS")
        return value

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

    @field_validator("model_aliases")
    @classmethod
    def _names_of_models(cls, value: str) -> str:
        read_aliases(value)
        return value

    @field_validator("data_dir", "cache_dir", "weights_dir")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser() if value is not None else None
        except RuntimeError as error:  # ~user, and there is no such user
            raise ValueError("starts with ~ and a user that there is none of") from error

    @property
    def hosts(self) -> frozenset[str]:
        """`allowed_hosts` as a set."""
        return frozenset(listed(self.allowed_hosts))

    @property
    def origins(self) -> frozenset[str]:
        """`cors_origins` as a set."""
        return frozenset(listed(self.cors_origins))

    @property
    def aliases(self) -> dict[str, str]:
        """`model_aliases` as a dict: each name with what it stands for."""
        return read_aliases(self.model_aliases)

    @property
    def headers(self) -> dict[str, str]:
        """`remote_headers` as a dict. Its values are secret."""
        return read_headers(self.remote_headers.get_secret_value())

    @property
    def bounds(self) -> disclosed.Disclosure:
        """What no profile and no request can exceed: `disclosure` and `disclosure_budget`."""
        return disclosed.Disclosure(least=self.disclosure, budget=self.disclosure_budget)

    @property
    def remote_urls(self) -> tuple[str, ...]:
        """`remote_base_url` as a tuple; empty for the embedded remote."""
        return () if self.remote_base_url == EMBEDDED else tuple(_urls(self.remote_base_url))

    def proxy(self, environ: Mapping[str, str] = os.environ, *, url: str | None = None) -> Proxy | None:
        """The proxy to the remote at this `url`, by default to the first that has one, if any. Raises
        CoSteerError for a variable that names no usable proxy."""
        named = self.remote_proxy.get_secret_value()
        urls = self.remote_urls if url is None else (url,)
        proxies = (proxy_for(one, named, environ) for one in urls)
        return next((proxy for proxy in proxies if proxy is not None), None)

    def model_names(self) -> list[str]:
        """The models that run in this process, each once."""
        embedded = [self.embedded_model] if self.remote_base_url == EMBEDDED else []
        local = [] if self.local_base_url else [self.local_model]
        return list(dict.fromkeys([*local, *embedded]))

    @property
    def served_local_model(self) -> str:
        """The small model's name at its server; empty: the first one that it lists."""
        named = self.local_model != type(self).model_fields["local_model"].default
        return self.local_model if named else ""


def listed(value: str) -> list[str]:
    """Splits a comma-separated list, in lower case."""
    return [part.strip().lower() for part in value.split(",") if part.strip()]


def environment_names(environ: Mapping[str, str] = os.environ) -> set[str]:
    """The names of the environment's variables, in upper case."""
    return {name.upper() for name in environ}


def unknown_names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each environment variable with our prefix that is not a setting.

    It is not an error, as in .env: other programs set some too, like Kubernetes (COSTEER_SERVICE_HOST).
    """
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    known.append(NAMED_BY)
    unknown = [name for name in environ if name.upper().startswith(PREFIX) and name.upper() not in known]
    return [f"{name} is not a setting.{suggestion(name)}" for name in unknown]


def suggestion(name: str, *, prefix: str = PREFIX) -> str:
    """` Did you mean ...?` for a misspelt name, else an empty string. Names are as variables of the
    environment have them, or without a prefix as config.toml has them."""
    known = [f"{prefix}{field.upper()}" for field in Settings.model_fields]
    asked = name.upper() if prefix else name.upper().removeprefix(PREFIX)
    close = difflib.get_close_matches(asked, known, n=1, cutoff=0.8)
    return f" Did you mean {close[0] if prefix else close[0].lower()}?" if close else ""


def _urls(value: str) -> list[str]:
    return [url.strip().rstrip("/") for url in value.split(",") if url.strip()]


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port validates it.
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and url.isprintable() and " " not in url
