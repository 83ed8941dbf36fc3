"""The frame of the page: views, addresses, keyboard, and keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from page.tour import VIEWS


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_each_view_is_accessible(
    page: Page, view: str, scheme: str, accessible: Callable[[Page], None]
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
    expect(page.get_by_role("heading", level=1, name=view)).to_be_visible()
    page.wait_for_load_state("networkidle")
    accessible(page)


def test_a_view_that_is_asked_for_again_while_it_loads_is_there_once_and_has_the_focus(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/web/js/views/try.js", hold)
    page.reload()
    page.get_by_role("link", name="Try", exact=True).click()
    expect(page).to_have_url(re.compile("#try$"))
    held[0].continue_()
    expect(page.get_by_role("heading", level=1, name="Try")).to_be_focused()
    expect(page.get_by_label("Message")).to_have_count(1)
    assert len(held) == 1


def test_the_address_and_the_title_name_the_view_and_nothing_else(page: Page) -> None:
    for view in VIEWS:
        page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
        expect(page).to_have_title(f"{view} · CoSteer")
        assert page.url.endswith(f"/#{view.lower()}")
        expect(page.get_by_role("heading", level=1, name=view)).to_be_focused()
    page.go_back()
    expect(page).to_have_title("Keys · CoSteer")


def test_the_first_tab_leads_past_the_navigation(page: Page) -> None:
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="To the content")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_key_is_used_in_this_tab_alone_until_it_is_forgotten(page: Page) -> None:
    page.get_by_role("button", name="Use a key").click()
    page.get_by_label("Key", exact=True).fill("unused")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Forget key")).to_be_visible()
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_role("button", name="Use a key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_escape_closes_the_dialog_and_focus_returns(page: Page) -> None:
    page.get_by_role("button", name="Use a key").click()
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Use a key")).to_be_focused()
