"""What others try on the page: markup in texts, frames, openers, requests from other sites, their names."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from page.chromium import ARGUMENTS, executable
from page.conftest import watched
from page.foreign import NAMES, Site, site
from page.server import Server, serving
from page.tour import tour

MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script><style>*{display:none}</style>'
SECRET = "plumtree"
TEXT = f"{MARKUP} {SECRET}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose texts all want to be markup: names, facts, preferences, a history, its files' names."""
    with serving(tmp_path_factory.mktemp("hostile")) as server:
        profile = {
            "id": "evil",
            "name": TEXT,
            "fields": {"pet": TEXT, "wish": "</script><svg onload=window.hacked=1>"},
            "preferences": [TEXT],
            "default": True,
        }
        server.api("POST", "/v1/profiles", profile)
        items = [{"title": TEXT, "request": TEXT, "text": f"{TEXT} {number}"} for number in range(3)]
        server.api("POST", "/v1/profiles/evil/history", items)
        form = {"file": (f"{MARKUP}.txt", f"{TEXT} from a file".encode())}
        sent = httpx.post(f"{server.url}/v1/profiles/evil/history/files", files=form, timeout=60)
        assert sent.json()["added"] == 1, sent.text
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture(scope="module")
def led_astray(browser: Browser) -> Iterator[Browser]:
    """A browser in which the foreign names lead to this machine."""
    made = browser.browser_type.launch(executable_path=executable(), args=[*ARGUMENTS, NAMES])
    yield made
    made.close()


@pytest.fixture
def astray(led_astray: Browser) -> Iterator[BrowserContext]:
    context = led_astray.new_context()
    yield context
    context.close()


def test_markup_in_texts_stays_text_and_the_policy_has_nothing_to_report(
    context: BrowserContext, hostile: Server
) -> None:
    with watched(context.new_page(), hostile.url) as page:
        page.goto(hostile.url)
        tour(page)
        page.get_by_role("navigation", name="Views").get_by_role("link", name="People").click()
        expect(page.get_by_text(SECRET).filter(visible=True).first).to_be_visible()
        assert page.evaluate("window.hacked") is None
        assert page.evaluate("document.querySelectorAll('main img, main script, main style').length") == 0
        assert page.evaluate("window.reports") == []


def test_addresses_titles_and_storage_hold_nothing_private(context: BrowserContext, hostile: Server) -> None:
    asked: list[str] = []
    with watched(context.new_page(), hostile.url) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("framenavigated", lambda frame: asked.append(frame.url))
        titles = []
        for _ in range(2):
            page.goto(hostile.url)
            tour(page)
            titles.append(page.title())
        kept = page.evaluate(
            "async () => [localStorage.length, sessionStorage.length, document.cookie, history.state,"
            " (await indexedDB.databases()).length, (await caches.keys()).length,"
            " (await navigator.serviceWorker.getRegistrations()).length]"
        )
        assert kept == [0, 0, "", None, 0, 0, 0]
    assert not [text for text in (*asked, *titles) if SECRET in text or "img" in text]


def test_a_foreign_page_cannot_frame_ours(astray: BrowserContext, server: Server, elsewhere: Site) -> None:
    page = astray.new_page()
    html = "".join(
        f'<{tag} {source}="{server.url}{path}"></{tag}>'
        for path in ("/", "/#people", "/v1/profiles", "/docs")
        for tag, source in (("iframe", "src"), ("object", "data"), ("embed", "src"))
    )
    page.goto(elsewhere.put("/frames", html))
    page.wait_for_load_state("networkidle")
    framed = [frame for frame in page.frames if frame != page.main_frame]
    assert framed
    for frame in framed:
        assert not frame.url.startswith(server.url), frame.url
        assert "CoSteer" not in frame.content()


def test_a_foreign_opener_keeps_no_hold_of_ours(
    astray: BrowserContext, server: Server, elsewhere: Site
) -> None:
    page = astray.new_page()
    opens = f"<button onclick=\"w = window.open('{server.url}/#people', 'ours')\">Open</button>"
    page.goto(elsewhere.put("/opener", opens))
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Open").click()
    ours = opened.value
    expect(ours.get_by_role("link", name="People")).to_be_visible()
    assert ours.evaluate("[window.opener, window.name]") == [None, ""]
    assert page.evaluate("w.closed")  # for the opener it is gone
    page.evaluate("w.location = 'about:blank'; w.postMessage('steer', '*')")
    expect(ours.get_by_role("link", name="People")).to_be_visible()
    assert ours.url == f"{server.url}/#people"


REQUESTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "/v1/profiles", {}),
    ("GET", "/v1/keys", {}),
    ("GET", "/v1/doctor?stream=true", {}),
    ("GET", "/v1/activity", {}),
    ("GET", "/metrics", {}),
    ("GET", "/v1/profiles/isabel", {"mode": "no-cors"}),
    ("POST", "/v1/profiles", {"mode": "no-cors", "body": '{"id": "planted", "name": "x"}'}),
    ("POST", "/v1/profiles", {"headers": {"Content-Type": "application/json"}, "body": '{"id": "planted"}'}),
    ("POST", "/v1/keys", {"mode": "no-cors", "body": '{"admin": true, "label": "planted"}'}),
    ("POST", "/v1/chat/completions", {"mode": "no-cors", "body": '{"messages": []}'}),
    ("DELETE", "/v1/profiles/isabel", {}),
)
FETCH = """async ([method, url, options]) => {
    try {
        const answer = await fetch(url, { method, ...options });
        return answer.type === "opaque" ? "opaque" : `${answer.status} ${await answer.text()}`;
    } catch { return "refused"; }
}"""


def state_of(server: Server) -> list[Any]:
    return [server.api("GET", path)["data"] for path in ("/v1/profiles", "/v1/keys")]


@pytest.mark.parametrize("asked", REQUESTS, ids=[f"{one[0]}{one[1]}" for one in REQUESTS])
def test_a_foreign_page_gets_nothing_from_the_api_and_changes_nothing(
    astray: BrowserContext, server: Server, elsewhere: Site, asked: tuple[str, str, dict[str, Any]]
) -> None:
    method, path, options = asked
    before = state_of(server)
    page = astray.new_page()
    page.goto(elsewhere.put("/", "Elsewhere"))
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status))
    said = page.evaluate(FETCH, [method, f"{server.url}{path}", options])
    assert said in {"refused", "opaque"}
    assert set(answers) <= {403, 405}  # refused here, not only kept from the page by the browser
    assert state_of(server) == before


def test_a_foreign_page_can_embed_no_file_of_ours(
    astray: BrowserContext, server: Server, elsewhere: Site
) -> None:
    page = astray.new_page()
    told = "onload=\"seen.push('loaded')\" onerror=\"seen.push('refused')\""
    html = f"""<script>seen = []</script>
        <script src="{server.url}/web/js/dom.js" type="module" {told}></script>
        <script src="{server.url}/v1/profiles" {told}></script>
        <link rel="stylesheet" href="{server.url}/web/css/base.css" {told}>
        <img src="{server.url}/web/icon.svg" {told}>"""
    page.goto(elsewhere.put("/embeds", html))
    page.wait_for_function("seen.length === 4")
    assert page.evaluate("seen") == ["refused"] * 4


def test_another_name_of_this_machine_opens_nothing(astray: BrowserContext, hostile: Server) -> None:
    """DNS rebinding: the site's own name leads to this server, so that to the browser they are one."""
    port = urlsplit(hostile.url).port
    rebound = f"http://rebound.test:{port}"
    page = astray.new_page()
    page.goto(f"{rebound}/#state")
    expect(page.get_by_text("not told at this address without a key")).to_be_visible()
    for method, path, options in REQUESTS:
        body = {name: value for name, value in options.items() if name != "mode"}
        said = page.evaluate(FETCH, [method, f"{rebound}{path}", body])
        assert said.startswith("403 "), (method, path, said)
        assert SECRET not in said
    for link in page.get_by_role("navigation", name="Views").get_by_role("link").all():
        link.click()
        page.wait_for_load_state("networkidle")
        assert SECRET not in page.content()
    assert [one["id"] for one in state_of(hostile)[0]] == ["evil"]


PATHS = (
    *("/web/../main.py", "/web/../../pyproject.toml", "/web/%2e%2e/main.py", "/web/..%2f..%2fmain.py"),
    *("/web/..%5c..%5cmain.py", "/web/js/../../main.py", "/web//etc/passwd", "/web/%2fetc%2fpasswd"),
    *("/web/%00", "/web/js/main.js%00.css", "/web/%ff%fe", "/web/.", "/web/", "/web/js/", "/../app/main.py"),
    *("/web/JS/MAIN.JS", "/web/" + "a/" * 3000, "//foreign.test/web/js/main.js"),
)


@pytest.mark.parametrize("path", PATHS, ids=[path[:30] for path in PATHS])
def test_no_path_leads_out_of_the_page_s_folder(server: Server, path: str) -> None:
    """As a client that is no browser sends it: nothing takes the dots out on the way."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    assert answer.status == 404
    assert not re.search(r"create_app|root:|import |\[project\]", body)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
