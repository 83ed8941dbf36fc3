"""The proxy to a remote: decided from its URL, the setting, and the variables of the environment."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CoSteerError
from app.network.proxy import ASKED, Proxy, is_exempt, proxy_for, proxy_url

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
HTTPS, HTTP = "https://vllm.example/v1", "http://vllm.example/v1"
SECRET = "pa55word"


def environments() -> list[dict[str, str]]:
    """Every choice of the variables, each of which names a proxy of its own."""
    values = {name: f"http://{name.lower().replace('_', '-')}.example:3128" for name in VARIABLES}
    values["NO_PROXY"] = "vllm.example"
    chosen = itertools.chain.from_iterable(itertools.combinations(VARIABLES, size) for size in range(5))
    return [{name: values[name] for name in names} for names in chosen]


@pytest.mark.parametrize("environ", environments(), ids=lambda environ: " ".join(environ) or "none")
@pytest.mark.parametrize("lower", [False, True])
def test_the_environment_counts_for_https_alone(environ: dict[str, str], lower: bool) -> None:
    spelled = {name.lower() if lower else name: value for name, value in environ.items()}
    expected = None
    if "NO_PROXY" not in environ:
        expected = next((name for name in ("HTTPS_PROXY", "ALL_PROXY") if name in environ), None)
    found = proxy_for(HTTPS, "", spelled)
    if expected is None:
        assert found is None
    else:
        assert found == Proxy(environ[expected], expected.lower() if lower else expected)
    assert proxy_for(HTTP, "", spelled) is None
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert proxy_for(f"https://{host}/v1", "", spelled) is None
        assert proxy_for(f"https://{host}/v1", "http://proxy:1", spelled) is None


@pytest.mark.parametrize("url", [HTTP, HTTPS])
def test_the_setting_goes_before_every_variable(url: str) -> None:
    for environ in environments():
        assert proxy_for(url, "socks5h://10.0.0.1:1080", environ) == Proxy(
            "socks5h://10.0.0.1:1080", "COSTEER_REMOTE_PROXY"
        )


def test_small_letters_go_first_and_an_empty_variable_is_none() -> None:
    both = {"https_proxy": "http://small:1", "HTTPS_PROXY": "http://large:1"}
    assert str(proxy_for(HTTPS, "", both)) == "http://small:1 (https_proxy)"
    assert proxy_for(HTTPS, "", {**both, "https_proxy": " "}) is None


@pytest.mark.parametrize(
    "value",
    [
        f"socks://user:{SECRET}@proxy:1080/",
        f"socks4://user:{SECRET}@proxy:1080",
        f"ftp://user:{SECRET}@proxy",
        f"http://user:{SECRET}@",
        f"http://user:{SECRET}@proxy:99999",
        f"http://user:{SECRET}@proxy:0",
        f"http://user:12/{SECRET}@proxy:3128",
        f"http://user:{SECRET}#@proxy:3128",
        f"http://user:{SECRET}\u00e9@proxy:3128",
        f"http://[::1:3128{SECRET}",
        "http://",
    ],
)
def test_a_variable_that_is_no_proxy_is_a_sentence_that_names_it_and_quotes_nothing(value: str) -> None:
    with pytest.raises(CoSteerError, match=r"^ALL_PROXY must be the URL of a proxy") as caught:
        proxy_for(HTTPS, "", {"ALL_PROXY": value})
    assert SECRET not in caught.value.message
    with pytest.raises(ValueError, match="must be the URL"):
        proxy_url(value)
    # Where no proxy is needed, none is looked at.
    assert proxy_for(HTTP, "", {"ALL_PROXY": value}) is None
    assert proxy_for(HTTPS, "", {"ALL_PROXY": value, "NO_PROXY": "*"}) is None


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
def test_it_is_shown_without_its_user_and_password(scheme: str) -> None:
    proxy = proxy_for(HTTPS, "", {"HTTPS_PROXY": f"{scheme}://user:{SECRET}@proxy:3128"})
    assert str(proxy) == f"{scheme}://proxy:3128 (HTTPS_PROXY)"
    assert SECRET not in repr(proxy) and proxy is not None and SECRET in proxy.url


def test_a_proxy_without_a_scheme_is_an_http_one() -> None:
    assert proxy_url(" proxy:3128 ") == "http://proxy:3128"


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("*", "a.b", True),
        ("a.b", "a.b", True),
        ("A.B.", "a.b", True),
        ("b", "a.b", True),
        (".b", "a.b", True),
        (".a.b", "a.b", True),
        ("*.b", "a.b", True),
        ("b", "ab", False),
        ("x, y\ta.b", "a.b", True),
        ("a.b:443", "a.b", True),
        ("a.b:8443", "a.b", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "a.b", False),
        ("::2", "::2", True),
        ("[::2]:443", "::2", True),
        ("[::2]:1", "::2", False),
        ("fd00::/8", "fd12::1", True),
        ("", "a.b", False),
        (",,  ,", "a.b", False),
    ],
)
def test_no_proxy_lists_names_domains_addresses_and_networks(no_proxy: str, host: str, exempt: bool) -> None:
    assert is_exempt(host, 443, no_proxy) is exempt


@given(st.text(), st.dictionaries(st.sampled_from(VARIABLES), st.text()))
def test_whatever_they_say_it_is_a_proxy_none_or_one_sentence(named: str, environ: Mapping[str, str]) -> None:
    try:
        proxy = proxy_for(HTTPS, "", environ)
    except CoSteerError as error:
        assert ASKED in error.message
    else:
        assert proxy is None or proxy.url
