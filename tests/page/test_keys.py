"""Keys: made, shown once with what apps need, and revoked; the first admin key closes, the last opens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.profiles.store import Store
from page.conftest import watched
from page.keyboard import tab_to
from page.server import Server, serving
from page.test_people import HOSTILE
from page.waiting import kept_waiting


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this file's own, since an admin key closes it."""
    with serving(tmp_path_factory.mktemp("keys")) as server:
        server.api("POST", "/v1/profiles", {"id": "anna", "name": "Anna Ek"})
        yield server


@pytest.fixture
def server(alone: Server) -> Iterator[Server]:
    """It, without keys before and behind each test."""
    yield alone
    with Store.open(alone.data_dir) as store:
        for key in store.keys.list():
            store.keys.delete(key.id, last_admin=True)


@pytest.fixture
def keys(page: Page) -> Page:
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Keys").click()
    expect(page.get_by_role("button", name="New key")).to_be_visible()
    return page


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


def make(page: Page, label: str, opens: str) -> str:
    """Makes a key, and gives its secret; the dialog that shows it stays open."""
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog", name="New key")
    dialog.get_by_label("Label").fill(label)
    dialog.get_by_label("What it opens").select_option(label=opens)
    dialog.get_by_role("button", name="Make the key").click()
    shown = page.get_by_role("dialog", name="The key is made").get_by_label("Key", exact=True)
    expect(shown).to_be_focused()
    return shown.input_value()


ADMIN = "Everything (an admin key)"


def status(server: Server, secret: str | None) -> int:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return httpx.get(f"{server.url}/v1/profiles", headers=headers).status_code


def test_a_key_is_shown_once_and_opens_its_profile(keys: Page, server: Server) -> None:
    secret = make(keys, "mail client", "Anna Ek")
    assert secret.startswith("costeer-")
    keys.get_by_role("button", name="Copy key").click()
    expect(keys.get_by_role("status")).to_have_text("Key copied.")
    assert keys.evaluate("navigator.clipboard.readText()") == secret
    keys.get_by_role("button", name="Done").click()
    expect(keys.get_by_role("button", name="New key")).to_be_focused()
    entry = keys.get_by_role("list", name="Keys").get_by_role("listitem")
    expect(entry).to_contain_text("mail client")
    expect(entry).to_contain_text("Opens Anna Ek")
    expect(entry).to_contain_text("not used yet")
    assert secret not in keys.content()
    kept = keys.evaluate("JSON.stringify([sessionStorage, localStorage, document.title, location.href])")
    assert secret not in kept
    assert status(server, secret) == 200
    keys.reload()
    expect(entry).to_contain_text("last used")


def test_each_app_s_lines_have_the_key_and_this_server_s_address(keys: Page, server: Server) -> None:
    secret = make(keys, "", "Anna Ek")
    address = f"{server.url}/v1"
    for app in ("Python", "JavaScript", "curl", "Open WebUI", "Continue", "LibreChat", "Other apps"):
        keys.get_by_role("tab", name=app, exact=True).click()
        lines = keys.get_by_label(f"For {app}", exact=True)
        expect(lines).to_contain_text(secret)
        expect(lines).to_contain_text(address)
        keys.get_by_role("tabpanel", name=app).get_by_role("button", name="Copy").click()
        assert keys.evaluate("navigator.clipboard.readText()") == lines.text_content()


def test_the_lines_for_python_and_curl_are_right(keys: Page, server: Server) -> None:
    make(keys, "", "Anna Ek")
    python = keys.get_by_label("For Python", exact=True).text_content() or ""
    compile(python, "snippet", "exec")
    assert re.search(r'base_url="http://127\.0\.0\.1:\d+/v1", api_key="costeer-', python)
    keys.get_by_role("tab", name="curl").click()
    curl = keys.get_by_label("For curl", exact=True).text_content() or ""
    url, body = re.search(r"curl (\S+)", curl), re.search(r"-d '(.*)'", curl)
    headers = dict(line.split(": ", 1) for line in re.findall(r'-H "([^"]+)"', curl))
    assert url is not None
    assert body is not None
    answer = httpx.post(
        url[1], headers=headers, content=body[1].replace("}]}", '}], "max_tokens": 2}'), timeout=120
    )
    assert answer.status_code == 200, answer.text


def test_the_first_admin_key_closes_the_page_which_can_use_it(
    keys: Page, server: Server, accessible: Callable[[Page], None]
) -> None:
    expect(keys.get_by_text("No key is needed now")).to_be_visible()
    keys.get_by_role("button", name="New key").click()
    keys.get_by_label("What it opens").select_option(label=ADMIN)
    expect(keys.get_by_role("dialog")).to_contain_text("It is the first admin key")
    accessible(keys)
    keys.keyboard.press("Escape")
    secret = make(keys, "mine", ADMIN)
    assert status(server, None) == 401
    dialog = keys.get_by_role("dialog", name="The key is made")
    expect(dialog).to_contain_text("From now on every request needs a key")
    accessible(keys)
    dialog.get_by_role("button", name="Use this key in this tab").click()
    expect(dialog.get_by_text("This tab uses the key until it is closed.")).to_be_focused()
    # It can still be copied.
    expect(dialog.get_by_label("Key", exact=True)).to_have_value(secret)
    dialog.get_by_role("button", name="Done").click()
    expect(keys.get_by_text("Every request needs a key.")).to_be_visible()
    entry = keys.get_by_role("list", name="Keys").get_by_role("listitem")
    expect(entry).to_contain_text("This tab")
    expect(entry).to_contain_text("Opens everything")
    accessible(keys)
    make(keys, "another", ADMIN)
    expect(dialog).not_to_contain_text("From now on")
    dialog.get_by_role("button", name="Done").click()
    expect(entry).to_have_count(2)


def test_whoever_does_not_use_the_first_admin_key_is_asked_for_it(keys: Page, server: Server) -> None:
    secret = make(keys, "mine", ADMIN)
    keys.get_by_role("button", name="Done").click()
    dialog = keys.get_by_role("dialog", name="API key")
    expect(dialog).to_contain_text("asks for a key")
    dialog.get_by_label("Key", exact=True).fill(secret)
    keys.keyboard.press("Enter")
    expect(keys.get_by_role("list", name="Keys")).to_contain_text("mine")


def test_who_has_no_key_is_asked_once_and_then_told(page: Page, server: Server) -> None:
    server.api("POST", "/v1/keys", {"admin": True})
    for view in ("Try", "People", "State"):
        page.goto("about:blank")
        page.goto(f"{server.url}/#{view.lower()}")
        page.get_by_role("dialog", name="API key").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert").filter(has_text="Send an API key").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_key_is_revoked_by_whoever_says_so(
    keys: Page, server: Server, accessible: Callable[[Page], None]
) -> None:
    secret = server.api("POST", "/v1/keys", {"profile": "anna", "label": "old phone"})["secret"]
    server.api("POST", "/v1/keys", {"profile": "anna", "label": "new phone"})
    keys.reload()
    revoke = keys.get_by_role("button", name="Revoke: old phone")
    revoke.click()
    dialog = keys.get_by_role("dialog", name="Revoke the key?")
    expect(dialog).to_contain_text("“old phone” opens Anna Ek.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    accessible(keys)
    keys.keyboard.press("Escape")
    expect(revoke).to_be_focused()
    assert status(server, secret) == 200
    revoke.click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(revoke).to_have_count(0)
    expect(keys.get_by_role("button", name="Revoke: new phone")).to_be_focused()
    assert status(server, secret) == 401


def with_key(page: Page, secret: str) -> None:
    page.evaluate("(key) => sessionStorage.setItem('costeer-key', key)", secret)
    page.reload()


def test_the_last_admin_key_says_what_opens(keys: Page, server: Server) -> None:
    secret = server.api("POST", "/v1/keys", {"admin": True, "label": "mine"})["secret"]
    with_key(keys, secret)
    keys.get_by_role("button", name="Revoke: mine").click()
    dialog = keys.get_by_role("dialog", name="Revoke the key?")
    expect(dialog).to_contain_text("It is this tab's own key.")
    expect(dialog).to_contain_text("It is the last admin key.")
    dialog.get_by_role("button", name="Revoke").click()
    expect(keys.get_by_text("No key is needed now")).to_be_visible()
    expect(keys.get_by_role("button", name="Use a key")).to_be_visible()
    assert status(server, None) == 200


def test_the_last_admin_key_asks_again_where_another_window_was_faster(keys: Page, server: Server) -> None:
    mine = server.api("POST", "/v1/keys", {"admin": True, "label": "mine"})
    other = server.api("POST", "/v1/keys", {"admin": True, "label": "other"}, key=mine["secret"])
    with_key(keys, mine["secret"])
    expect(keys.get_by_role("list", name="Keys")).to_contain_text("other")
    server.api("DELETE", f"/v1/keys/{other['id']}", key=mine["secret"])
    keys.get_by_role("button", name="Revoke: mine").click()
    keys.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    dialog = keys.get_by_role("dialog", name="Revoke the last admin key?")
    expect(dialog).to_contain_text("It is the last admin key.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert status(server, None) == 401
    assert status(server, mine["secret"]) == 200


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_labels_are_texts(keys: Page, kind: str, accessible: Callable[[Page], None]) -> None:
    label = HOSTILE[kind]
    make(keys, label, "Anna Ek")
    keys.get_by_role("button", name="Done").click()
    entry = keys.get_by_role("list", name="Keys").get_by_role("listitem")
    expect(entry.locator("strong")).to_have_text(label)
    accessible(keys)
    entry.get_by_role("button").click()
    expect(keys.get_by_role("dialog")).to_contain_text("opens Anna Ek")
    accessible(keys)
    keys.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(entry).to_have_count(0)


def test_all_of_it_can_be_done_by_keys_alone(page: Page, server: Server) -> None:
    tab_to(page, page.get_by_role("navigation", name="Views").get_by_role("link", name="Keys"))
    page.keyboard.press("Enter")
    new = page.get_by_role("button", name="New key")
    expect(new).to_be_visible()
    tab_to(page, new)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Label")).to_be_focused()
    page.keyboard.type("by keys")
    page.keyboard.press("Enter")
    shown = page.get_by_role("dialog", name="The key is made")
    expect(shown.get_by_label("Key", exact=True)).to_be_focused()
    tab_to(page, shown.get_by_role("tab", name="Python"))
    page.keyboard.press("ArrowRight")
    expect(shown.get_by_label("For JavaScript", exact=True)).to_be_visible()
    tab_to(page, shown.get_by_role("button", name="Done"))
    page.keyboard.press("Enter")
    expect(new).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Revoke: by keys"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("dialog").get_by_role("button", name="Revoke"))
    page.keyboard.press("Enter")
    expect(new).to_be_focused()
    assert server.api("GET", "/v1/keys")["data"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_is_accessible(
    keys: Page, server: Server, scheme: str, accessible: Callable[[Page], None]
) -> None:
    keys.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    accessible(keys)
    make(keys, "mail", "Anna Ek")
    accessible(keys)
    keys.get_by_role("button", name="Done").click()
    expect(keys.get_by_role("list", name="Keys")).to_be_visible()
    accessible(keys)


def test_what_the_server_refuses_is_said(keys: Page, server: Server) -> None:
    refusal: dict[str, Any] = {"error": {"message": "No room.", "type": "x", "param": None, "code": None}}
    keys.route("**/v1/keys", lambda route: route.fulfill(status=500, json=refusal))
    keys.get_by_role("button", name="New key").click()
    keys.get_by_role("button", name="Make the key").click()
    expect(keys.get_by_role("dialog")).to_contain_text("No room.")
    keys.keyboard.press("Escape")
    keys.reload()
    expect(keys.get_by_text("The keys could not be read")).to_be_visible()
    keys.unroute("**/v1/keys")
    keys.get_by_role("button", name="Try again").click()
    expect(keys.get_by_role("button", name="New key")).to_be_visible()


@pytest.mark.parametrize("by", ["key", "button"])
def test_a_key_that_is_being_made_is_shown_whoever_leaves(keys: Page, by: str) -> None:
    keys.get_by_role("button", name="New key").click()
    dialog = keys.get_by_role("dialog", name="New key")
    with kept_waiting(keys, "**/v1/keys"):
        with keys.expect_request("**/v1/keys"):
            dialog.get_by_role("button", name="Make the key").click()
        keys.keyboard.press("Escape") if by == "key" else dialog.get_by_role("button", name="Cancel").click()
    shown = keys.get_by_role("dialog", name="The key is made").get_by_label("Key", exact=True)
    expect(shown).to_be_focused()


def test_two_tabs_have_a_key_each(context: BrowserContext, keys: Page, server: Server) -> None:
    """A key is kept for its tab alone."""
    secret = make(keys, "mine", ADMIN)
    keys.get_by_role("button", name="Use this key in this tab").click()
    with watched(context.new_page(), server.url) as other:
        other.goto(f"{server.url}/#keys")
        expect(other.get_by_role("dialog", name="API key")).to_be_visible()
        assert secret not in other.content()


def test_a_form_that_is_sent_twice_at_once_makes_one_key(keys: Page, server: Server) -> None:
    keys.get_by_role("button", name="New key").click()
    dialog = keys.get_by_role("dialog", name="New key")
    dialog.get_by_role("button", name="Make the key").dblclick()
    expect(keys.get_by_role("dialog", name="The key is made")).to_be_visible()
    keys.get_by_role("button", name="Done").click()
    expect(keys.get_by_role("list", name="Keys").get_by_role("listitem")).to_have_count(1)
    assert len(server.api("GET", "/v1/keys")["data"]) == 1


def test_a_key_that_another_window_has_revoked_goes(keys: Page, server: Server) -> None:
    made = server.api("POST", "/v1/keys", {"profile": "anna"})
    keys.reload()
    keys.get_by_role("button", name="Revoke: No label, opens Anna Ek").click()
    server.api("DELETE", f"/v1/keys/{made['id']}")
    keys.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(keys.get_by_role("status").filter(has_text="It was revoked already.")).to_be_visible()
    expect(keys.get_by_text("No keys yet.")).to_be_visible()
    expect(keys.get_by_role("button", name="New key")).to_be_focused()
