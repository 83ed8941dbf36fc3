"""Settings come from the environment and .env by documented names; what is misspelt or wrong is named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.profiles.disclosure import Disclosure
from app.settings.settings import PREFIX, Settings, unknown_names
from app.steering.strength import AUTO, Strength

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
# Their defaults are folders of the machine's own.
BY_MACHINE = {"COSTEER_DATA_DIR", "COSTEER_CACHE_DIR"}

pytestmark = pytest.mark.usefixtures("clean_environment")


def mistakes() -> list[tuple[str, str]]:
    """The field and pydantic's type of each mistake in what .env and the environment say."""
    with pytest.raises(ValidationError) as caught:
        Settings()
    return [(str(mistake["loc"][0]), mistake["type"]) for mistake in caught.value.errors()]


def env_file(*lines: str, encoding: str = "utf-8") -> None:
    Path(".env").write_text("\n".join(lines), encoding=encoding)


# .env.example


def example_lines() -> dict[str, tuple[str, str]]:
    """Each variable of .env.example with its value and the comment above it, commented out or not."""
    found: dict[str, tuple[str, str]] = {}
    comment: list[str] = []
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"(?:# )?([A-Z_]+)=(.*)", line):
            assert match[1] not in found
            found[match[1]] = (match[2], " ".join(comment))
            comment = []
        elif line:
            assert line.startswith("# "), line
            comment.append(line.removeprefix("# "))
        else:
            comment = []
    return found


def default_of(name: str) -> str:
    default = Settings.model_fields[name].default
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    return "" if default is None else str(default)


def test_the_example_lists_every_setting_and_nothing_else() -> None:
    assert sorted(example_lines()) == sorted(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_example_gives_the_default_and_says_what_it_is(name: str) -> None:
    variable = f"{PREFIX}{name.upper()}"
    value, comment = example_lines()[variable]
    assert len(comment.split()) >= 4
    assert comment.endswith(".")
    assert value == ("" if variable in BY_MACHINE else default_of(name))
    commented_out = f"\n# {variable}=" in EXAMPLE.read_text(encoding="utf-8")
    assert commented_out == (variable in BY_MACHINE)


def test_the_example_as_env_file_changes_nothing() -> None:
    plain = Settings()
    env_file(EXAMPLE.read_text(encoding="utf-8"))
    assert Settings() == plain


# Where values come from


def test_the_environment_goes_before_the_file_and_code_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    env_file("COSTEER_PORT=1", "COSTEER_STRENGTH=1", "COSTEER_TOP_LOGPROBS=11")
    monkeypatch.setenv("COSTEER_PORT", "2")
    monkeypatch.setenv("COSTEER_STRENGTH", "2")
    settings = Settings(port=3)
    assert (settings.port, settings.strength, settings.top_logprobs) == (3, 2.0, 11)


@pytest.mark.parametrize(("value", "strength"), [("auto", AUTO), ("0.25", 0.25), ("0", 0.0)])
def test_a_strength_is_a_number_or_auto(
    value: str, strength: Strength, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().strength == AUTO
    monkeypatch.setenv("COSTEER_STRENGTH", value)
    assert Settings().strength == strength


def test_a_least_level_and_a_budget_bound_every_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().bounds == Disclosure()
    monkeypatch.setenv("COSTEER_DISCLOSURE", "fill")
    monkeypatch.setenv("COSTEER_DISCLOSURE_BUDGET", "2.5")
    assert Settings().bounds == Disclosure("fill", budget=2.5)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_is_as_good_as_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty host, above all, must not mean every address of the machine."""
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", "")
    assert getattr(Settings(), name) == getattr(Settings.model_construct(), name)


def test_a_byte_order_mark_does_not_hide_the_first_line() -> None:
    env_file("COSTEER_PORT=1", encoding="utf-8-sig")
    assert Settings().port == 1


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    env_file("COSTEER_DATA_DIR=~/data", "COSTEER_WEIGHTS_DIR=~/gguf")
    assert (Settings().data_dir, Settings().weights_dir) == (tmp_path / "data", tmp_path / "gguf")


def test_the_key_does_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_REMOTE_API_KEY", " s3cret\n")
    settings = Settings()
    assert settings.remote_api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_level", "INFO"),
        ("log_format", "Json"),
        ("device", "CPU"),
        ("dtype", "Float32"),
        ("on_local_failure", "Error"),
        ("strength", "Auto"),
        ("disclosure", "Shape"),
        ("remote_base_url", "Embedded"),
        ("trust_network", "TRUE"),
    ],
)
def test_a_word_is_taken_in_any_case(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", f" {value} ")
    assert str(getattr(Settings(), name)).lower() == value.lower()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_blank_variable_is_as_good_as_none_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of that name would be the one that it is started in."""
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", "  ")
    assert getattr(Settings(), name) == getattr(Settings.model_construct(), name)


# Mistakes


def test_other_programs_may_use_the_same_file() -> None:
    env_file("HF_TOKEN=abc", "PORT=1", "HOST=0.0.0.0", "HOSTNAME=x", "strength=4", "COSTEER_PORT=5")
    assert Settings() == Settings(_env_file=None, port=5)


def test_a_misspelt_name_in_the_file_is_a_mistake_and_named() -> None:
    env_file("COSTEER_STRENGHT=1", "COSTEER_PROT=1", "HF_TOKEN=abc")
    assert mistakes() == [("strenght", "extra_forbidden"), ("prot", "extra_forbidden")]


def test_a_misspelt_name_in_the_environment_is_only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_STRENGHT", "1")
    monkeypatch.setenv("COSTEER_SERVICE_HOST", "10.0.0.1")
    assert Settings() == Settings.model_construct()
    assert unknown_names(os.environ) == [
        "COSTEER_STRENGHT is not a setting. Did you mean COSTEER_STRENGTH?",
        "COSTEER_SERVICE_HOST is not a setting.",
    ]


def test_known_names_in_any_case_are_not_told() -> None:
    assert unknown_names({"COSTEER_PORT": "1", "costeer_host": "x", "HF_TOKEN": "y", "XCOSTEER_A": "z"}) == []


WRONG: list[tuple[str, str]] = [
    ("port", "eighty"),
    ("port", "65536"),
    ("port", "-1"),
    ("trust_network", "perhaps"),
    ("allowed_hosts", "http://costeer"),
    ("allowed_hosts", "costeer:8000"),
    ("allowed_hosts", "cafe:8000"),
    ("allowed_hosts", "*"),
    ("cors_origins", "*"),
    ("cors_origins", "null"),
    ("cors_origins", "app.example"),
    ("cors_origins", "https://app.example/"),
    ("model_aliases", "gpt-4o"),
    ("model_aliases", "gpt-4o="),
    ("model_aliases", "=default"),
    ("model_aliases", "gpt-4o=default,gpt-4o=other"),
    ("model_aliases", "default=other"),
    ("model_aliases", "gpt@home=default"),
    ("model_aliases", "a=b,b=default"),
    ("model_aliases", "a=a"),
    ("model_aliases", "a=b@anna,b=default"),
    ("max_running", "0"),
    ("max_waiting", "-1"),
    ("log_level", "loud"),
    ("log_format", "xml"),
    ("margin", "-0.1"),
    ("margin", "10.1"),
    ("margin", "nan"),
    ("strength", "4.1"),
    ("strength", "-0.1"),
    ("strength", "nan"),
    ("strength", "strong"),
    ("disclosure", "shut"),
    ("disclosure_budget", "-1"),
    ("disclosure_budget", "nan"),
    ("disclosure_budget", "inf"),
    ("top_logprobs", "1"),
    ("max_model_len", "255"),
    ("max_context_tokens", "-1"),
    ("draft_length", "0"),
    ("verify_batch", "-1"),
    ("remote_connect_timeout", "0"),
    ("remote_read_timeout", "inf"),
    ("remote_base_url", "host:8001/v1"),
    ("remote_base_url", "http://"),
    ("remote_base_url", "http://host:99999/v1"),
    ("remote_base_url", "http://a/v1,embedded"),
    ("remote_base_url", "http://a/v1,http://b:99999/v1"),
    ("remote_base_url", "http://a/v1, http://lotte:x@a/v1/"),
    ("remote_base_url", ","),
    ("remote_api_key", "schlüssel"),
    ("remote_api_key", "two\nlines"),
    ("remote_headers", "X-Access"),
    ("remote_headers", "X-Access:"),
    ("remote_headers", "X Access: one"),
    ("remote_headers", "X-Access: schlüssel"),
    ("remote_headers", "X-Access: one\nx-access: two"),
    ("remote_headers", "Host: elsewhere"),
    ("remote_headers", "Content-Length: 1"),
    ("remote_headers", '{"X-Access": 1}'),
    ("remote_headers", '{"X-Access": "two\\nlines"}'),
    ("remote_headers", '{"X-Access": "one"'),
    ("remote_session_header", "X Session"),
    ("remote_session_header", "Authorization"),
    ("remote_session_header", "host"),
    ("device", "gpu"),
    ("dtype", "int4"),
    ("data_dir", "~nobody-of-this-name/x"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_a_mistake_of_its_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    assert [field for field, _ in mistakes()] == [name]


def test_names_of_models_are_read_with_what_they_stand_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_MODEL_ALIASES", " gpt-4o = default, GPT-4o=org/model ,, x=at@home=1@anna,")
    assert Settings().aliases == {"gpt-4o": "default", "GPT-4o": "org/model", "x": "at@home=1@anna"}
    monkeypatch.setenv("COSTEER_MODEL_ALIASES", "")
    assert Settings().aliases == {}


def test_a_wrong_alias_is_named_with_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_MODEL_ALIASES", "gpt-4o=default,gpt-4o-mini")
    with pytest.raises(ValidationError, match=r"gpt-4o-mini=default@anna; entry 2 is not"):
        Settings()


def test_a_wrong_value_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_REMOTE_API_KEY", "s3cret ü")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "s3cret" not in str(caught.value)


def test_a_misspelt_name_in_code_is_a_mistake() -> None:
    given: dict[str, Any] = {"strenght": 1}
    with pytest.raises(ValidationError, match="strenght"):
        Settings(**given)


@pytest.mark.parametrize("url", ["http://host:8001/v1/", "  http://host:8001/v1 ", "http://host:8001/v1"])
def test_the_remote_s_url_is_brought_into_one_form(url: str) -> None:
    assert Settings(remote_base_url=url).remote_base_url == "http://host:8001/v1"


def test_several_remotes_are_brought_into_one_form_each() -> None:
    settings = Settings(remote_base_url=" http://a/v1/, http://b:8001/v1 ,")
    assert settings.remote_base_url == "http://a/v1,http://b:8001/v1"
    assert settings.remote_urls == ("http://a/v1", "http://b:8001/v1")
    assert Settings(remote_base_url="embedded").remote_urls == ()


def test_each_remote_has_the_proxy_that_its_address_needs() -> None:
    settings = Settings(
        remote_base_url="http://127.0.0.1:1/v1,http://b/v1", remote_proxy=SecretStr("http://p:1")
    )
    assert [str(settings.proxy({}, url=url)) for url in settings.remote_urls] == [
        "None",
        "http://p:1 (COSTEER_REMOTE_PROXY)",
    ]
    assert str(settings.proxy({})) == "http://p:1 (COSTEER_REMOTE_PROXY)"


def test_only_models_that_run_here_are_named_each_once() -> None:
    assert Settings(local_model="a", embedded_model="a").model_names() == ["a"]
    assert Settings(local_model="a", embedded_model="b").model_names() == ["a", "b"]
    assert Settings(local_model="a", remote_base_url="http://h/v1").model_names() == ["a"]


def test_importing_the_product_reads_no_settings() -> None:
    """A wrong environment is an error of a command, not of an import."""
    result = subprocess.run(
        [sys.executable, "-c", "import app.cli, app.settings.settings"],
        cwd=ROOT,
        env={**os.environ, "COSTEER_PORT": "eighty"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


SECRET = "pa55word"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("remote_proxy", f"socks4://lotte:{SECRET}@proxy:1080"),
        ("remote_proxy", f"http://lotte:12/{SECRET}@proxy"),
        ("remote_base_url", f"http://lotte:12/{SECRET}@host/v1"),
        ("remote_base_url", f"http://host/v1?key={SECRET}"),
        ("remote_base_url", f"http://lotte:{SECRET}#@host/v1"),
        ("remote_base_url", f"ftp://lotte:{SECRET}@host/v1"),
        ("remote_base_url", f"http://a/v1,http://lotte:1,{SECRET}@host/v1"),
    ],
)
def test_a_url_that_is_wrong_is_named_and_its_password_is_not(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [mistake["loc"] for mistake in caught.value.errors()] == [(name,)]
    assert SECRET not in str(caught.value)


def test_no_password_is_in_the_settings_text() -> None:
    settings = Settings(
        remote_base_url=f"http://lotte:{SECRET}@host/v1",
        remote_proxy=SecretStr(f"http://lotte:{SECRET}@proxy:3128"),
    )
    assert SECRET not in repr(settings) + str(settings)
    assert str(settings.proxy({})) == "http://proxy:3128 (COSTEER_REMOTE_PROXY)"


def test_a_key_and_a_user_cannot_both_be_sent() -> None:
    with pytest.raises(ValidationError, match="travel in the same header"):
        Settings(remote_base_url="http://lotte:x@host/v1", remote_api_key=SecretStr("sk-1"))
    with pytest.raises(ValidationError, match="travel in the same header"):
        Settings(remote_base_url="http://a/v1,http://lotte:x@b/v1", remote_api_key=SecretStr("sk-1"))


def test_no_header_s_value_is_in_the_settings_text_or_in_a_mistake() -> None:
    assert "s3cret" not in repr(Settings(remote_headers=SecretStr("X-Access: s3cret")))
    for wrong in ("s3cret", '{"X-Access": "s3cret ü"}', '{"s3cret', "Host: s3cret", "a: s3cret\na: s3cret"):
        with pytest.raises(ValidationError) as caught:
            Settings(remote_headers=SecretStr(wrong))
        assert "s3cret" not in str(caught.value)


def test_a_header_has_one_source() -> None:
    authorization = SecretStr("authorization: Basic bG90dGU6eA==")
    assert Settings(remote_headers=authorization).headers
    with pytest.raises(ValidationError, match="COSTEER_REMOTE_API_KEY or the user"):
        Settings(remote_headers=authorization, remote_api_key=SecretStr("sk-1"))
    with pytest.raises(ValidationError, match="COSTEER_REMOTE_API_KEY or the user"):
        Settings(remote_headers=authorization, remote_base_url="http://lotte:x@host/v1")


def test_the_header_for_a_router_is_none_of_a_gateway_s() -> None:
    with pytest.raises(ValidationError, match="another header"):
        Settings(remote_headers=SecretStr("X-A: one"), remote_session_header="x-a")


def test_an_embedded_remote_needs_no_proxy() -> None:
    assert Settings(remote_proxy=SecretStr("http://proxy:1")).proxy({"HTTPS_PROXY": "nonsense://"}) is None


TRUSTED = "https://gpu.home:8002/v1"


def test_the_small_model_may_be_on_a_server_and_then_is_not_here() -> None:
    settings = Settings(local_base_url=f" {TRUSTED}/ ", remote_base_url="http://h/v1")
    assert settings.local_base_url == TRUSTED
    assert settings.model_names() == []
    assert settings.served_local_model == ""
    assert Settings(local_base_url=TRUSTED, local_model="small").served_local_model == "small"


@pytest.mark.parametrize("url", ["http://gpu.home:8002/v1", "http://10.0.0.5:8002/v1", "http://vllm/v1"])
def test_private_text_is_encrypted_beyond_this_machine_or_it_is_said_why_not(url: str) -> None:
    with pytest.raises(ValidationError, match=r"https://.*COSTEER_LOCAL_PLAINTEXT"):
        Settings(local_base_url=url)
    with pytest.raises(ValidationError, match="COSTEER_LOCAL_PLAINTEXT"):
        Settings(local_base_url=url, local_plaintext="  ")
    assert Settings(local_base_url=url, local_plaintext="our own cable").local_base_url == url
    assert Settings(local_base_url="http://127.0.0.1:8002/v1").local_base_url


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        (TRUSTED, TRUSTED),
        (TRUSTED, "https://GPU.home.:8002/other/v1"),
        ("https://gpu.home/v1", "https://gpu.home:443/v1"),
        ("http://127.0.0.1:8001/v1", "http://localhost:8001/v1"),
        ("http://[::1]:8001/v1", "http://127.0.0.1:8001/v1"),
        (TRUSTED, f"https://elsewhere/v1,{TRUSTED}"),
        ("https://10.0.0.5:8001/v1", "http://10.0.5:8001/v1"),
        ("https://10.0.0.5:8001/v1", "http://167772165:8001/v1"),
        ("https://10.0.0.5:8001/v1", "http://[::ffff:10.0.0.5]:8001/v1"),
        ("https://[fd00::1]:8001/v1", "http://[fd00:0:0:0::0:1]:8001/v1"),
        ("https://b\u00fccher.home/v1", "https://xn--bcher-kva.home/v1"),
        ("https://gpu\u3002home/v1", "https://gpu.home/v1"),
        ("https://gpu.home/v1", "http://gpu.home/v1"),
    ],
)
def test_the_remote_is_no_server_that_reads_private_text_unless_that_is_meant(
    local: str, remote: str
) -> None:
    with pytest.raises(ValidationError, match="COSTEER_LOCAL_SAME_SERVER"):
        Settings(local_base_url=local, remote_base_url=remote)
    meant = Settings(local_base_url=local, remote_base_url=remote, local_same_server=True)
    assert meant.local_base_url


def test_two_servers_of_one_machine_are_two() -> None:
    Settings(local_base_url="http://127.0.0.1:8002/v1", remote_base_url="http://127.0.0.1:8001/v1")
    Settings(local_base_url="https://gpu.home:8002/v1", remote_base_url="https://gpu.home:8001/v1")
    Settings(local_base_url="http://localhost:8002/v1", remote_base_url="embedded")


@pytest.mark.parametrize(
    "url",
    [
        f"https://lotte:12/{SECRET}@h/v1",
        f"https://h/v1?key={SECRET}",
        "gpu.home:8002",
        f"{TRUSTED},{TRUSTED}",
        f"{TRUSTED}\r\nX: {SECRET}",
        f"https://gpu home/{SECRET}",
    ],
)
def test_a_wrong_url_of_the_small_model_s_server_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(local_base_url=url)
    assert SECRET not in str(caught.value)


def test_a_key_and_a_user_of_the_small_model_s_server_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="COSTEER_LOCAL_BASE_URL names a user"):
        Settings(local_base_url="https://lotte:pw@gpu.home/v1", local_api_key=SecretStr("key"))
    settings = Settings(
        local_base_url=TRUSTED, local_api_key=SecretStr(SECRET), remote_base_url="http://u:p@h/v1"
    )
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("url", ["http://h/v1\tx", "http://h\x00/v1", "http://h h/v1"])
def test_a_url_with_blanks_or_control_characters_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="http://host:8001/v1"):
        Settings(remote_base_url=url)


def test_a_reason_that_is_no_text_is_named_and_is_none() -> None:
    given: Any = {"local_plaintext": 3, "local_base_url": "http://gpu.home:8002/v1"}
    with pytest.raises(ValidationError) as caught:
        Settings(**given)
    assert [error["loc"] for error in caught.value.errors()] == [("local_plaintext",), ("local_base_url",)]
