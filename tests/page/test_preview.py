"""The tab Preview: what the small model reads, with and without what it knows, and what may be said of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from page.persons import Person, made_person, opened
from page.server import Server

Accessible = Callable[[Page], None]
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
SHORT = {"text": "Write short sentences.", "opposite": "Write long sentences."}


@pytest.fixture
def person(server: Server) -> Person:
    fields = {"occupation": "Night nurse", "contact": "mara@lind.example", "joke": HOSTILE}
    person = made_person(server, fields=fields, preferences=[SHORT])
    person.wrote(
        {"title": "Night shift", "text": "The night shift is long, and the corridors hum."},
        {"title": "Too long", "text": "The night shift again. " * 2000},
    )
    return person


def show(page: Page, message: str) -> None:
    page.get_by_label("A message, as you would send it").fill(message)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("heading", name="Who they are, and what they wrote")).to_be_visible()


def test_both_prompts_stand_side_by_side_with_what_differs_marked(page: Page, person: Person) -> None:
    opened(page, person, "Preview")
    show(page, "Write a note about the night shift.")
    aware = page.get_by_role("region", name="With what it knows").first
    agnostic = page.get_by_role("region", name="Without").first
    expect(aware).to_contain_text("Night nurse")
    expect(aware.locator("mark").filter(has_text="Night nurse")).to_have_count(1)
    expect(agnostic).not_to_contain_text("Night nurse")
    for one in (aware, agnostic):
        expect(one).to_contain_text("Write a note about the night shift.")
    told = person.server.api(
        "POST",
        f"{person.path}/preview",
        {"messages": [{"role": "user", "content": "Write a note about the night shift."}]},
    )
    assert aware.text_content() == told["prompts"][0]["context_aware"]["prompt"]
    assert agnostic.text_content() == told["prompts"][0]["context_agnostic"]["prompt"]
    expect(page.get_by_role("meter")).to_have_attribute("value", str(told["private"]["tokens"]))


def test_what_was_chosen_says_whether_it_had_room_and_what_may_be_said(page: Page, person: Person) -> None:
    opened(page, person, "Preview")
    show(page, "Write a note about the night shift.")
    chosen = page.get_by_role("listitem").filter(has_text="Night shift").filter(has_text="corridors")
    expect(chosen).to_contain_text("Read")
    chosen.locator("summary").click()
    expect(chosen.get_by_text("the corridors hum")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Write short sentences.")).to_contain_text("Read")
    table = page.get_by_role("table")
    expect(table.get_by_role("row").filter(has_text=person.name)).to_contain_text("Filled in here")
    expect(table.get_by_role("row").filter(has_text="Night nurse")).to_contain_text("May be said")
    expect(table.get_by_role("row").filter(has_text="mara@lind.example").first).to_contain_text("Contact")
    expect(table).to_contain_text("<script>alert(2)</script>")
    assert page.locator("main img").count() == 0


def test_where_nothing_is_read_that_is_said(page: Page, server: Server) -> None:
    person = made_person(server, strength=0)
    opened(page, person, "Preview")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("The strength of this profile is 0")).to_be_visible()


def test_a_preview_is_asked_for_by_keys_alone(page: Page, person: Person) -> None:
    opened(page, person, "Preview")
    page.keyboard.press("Tab")  # the panel
    page.keyboard.press("Tab")
    expect(page.get_by_label("A message, as you would send it")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("How was the night?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="With what it knows").first).to_contain_text("How was the night?")
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="With what it knows").first).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_state_is_accessible(page: Page, person: Person, scheme: str, accessible: Accessible) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened(page, person, "Preview")
    accessible(page)
    show(page, "Write a note about the night shift.")
    for summary in page.locator(".chosen summary").all():
        summary.click()
    accessible(page)
    page.route("**/preview", lambda route: route.abort())
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="No preview")).to_be_visible()
    accessible(page)


def test_the_table_has_room_for_its_texts_on_a_phone_too(page: Page, person: Person) -> None:
    opened(page, person, "Preview")
    show(page, "Write a note about the night shift.")
    widths = page.get_by_role("table").evaluate(
        "table => [...table.rows].map((row) => row.cells[0].getBoundingClientRect().width)"
    )
    assert min(widths) > 130, widths
