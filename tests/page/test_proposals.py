"""The tab Proposals: drafted by the real small model, and, where the answer matters, by a made one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from page.keyboard import tab_to
from page.persons import Person, made_person, opened
from page.server import Server

Accessible = Callable[[Page], None]
LETTER = "Dear Mum,\n\nI work as a plumber now, and it rained {}.\n\nAll the best,\nJo"
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
NONE = {"key": None, "opposite": None, "level": None}
PETS = {"kind": "field", "key": "pets", "value": "dog Toby", "level": "open", "confidence": 0.9}
MORE_PETS = {**PETS, "value": "a parrot", "confidence": 0.5}
LONG = "Write long ones."
SHORT = {"kind": "preference", "value": "Write short sentences.", "opposite": LONG, "confidence": 0.7}
EVIL = {"kind": "field", "key": HOSTILE, "value": HOSTILE, "level": "fill", "confidence": 0.7}


def proposal(**given: Any) -> dict[str, Any]:
    passage = f"My {given['value']} 🐕 sleeps."
    start, end = 3, 3 + len(given["value"])
    return {**NONE, "passage": passage, "start": start, "end": end, "item": "item_1", "passages": 1, **given}


def answered(page: Page, *proposals: dict[str, Any], cut: bool = False) -> None:
    """The next drafts find these, whatever the history says."""
    told = {"object": "proposals", "data": [proposal(**one) for one in proposals], "texts": 2, "cut": cut}
    progress = {"object": "proposals.progress", "stage": "fields", "done": 1, "total": 2}
    body = "".join(f"data: {one}\n\n" for one in (json.dumps(progress), json.dumps(told), "[DONE]"))

    def answer(route: Route) -> None:
        route.fulfill(body=body, headers={"Content-Type": "text/event-stream"})

    page.route("**/proposals", answer)


@pytest.fixture
def person(server: Server) -> Person:
    return made_person(server)


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="Proposals").locator("> li")


def draft(page: Page) -> None:
    page.get_by_role("button", name="Look through the history").click()


def test_what_the_history_says_is_proposed_and_accepted(page: Page, person: Person) -> None:
    person.wrote(*(LETTER.format(day) for day in ("all day", "again", "a little")))
    opened(page, person, "Proposals")
    page.get_by_label("for at most").select_option("60")
    draft(page)
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    row = rows(page).filter(has=page.get_by_role("heading", name="Signs off"))
    expect(row).to_have_count(1, timeout=90_000)
    expect(page.get_by_role("heading", name="Proposals")).to_be_focused()
    expect(row.locator("mark")).to_contain_text("All the best")
    assert person.read()["fields"] == {}
    row.get_by_role("button", name="Accept").click()
    expect(row).to_have_count(0)
    assert list(person.read()["fields"]) == ["signs_off"]


def test_proposals_are_changed_accepted_in_number_and_rejected(page: Page, person: Person) -> None:
    person.wrote("My dog Toby sleeps.")
    answered(page, PETS, MORE_PETS, SHORT, EVIL, cut=True)
    opened(page, person, "Proposals")
    draft(page)
    expect(rows(page)).to_have_count(4)
    expect(page.get_by_text("4 proposals from 2 texts. The time was over").first).to_be_visible()
    first = rows(page).first
    expect(first.locator("mark")).to_have_text("dog Toby")
    expect(first).to_contain_text("Sure; in 1 passage")
    first.get_by_role("button", name="Edit").click()
    expect(first.get_by_label("What is so")).to_be_focused()
    first.get_by_label("What is so").fill("a dog called Toby")
    first.get_by_role("button", name="Use this").click()
    first.get_by_label("What replies may say of Pets").select_option("shape")
    rows(page).filter(has_text="alert(2)").get_by_role("button", name="Reject").click()
    expect(rows(page)).to_have_count(3)
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Accept 3 proposals").click()
    expect(rows(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="Proposals")).to_be_focused()
    told = person.read()
    assert told["fields"] == {"pets": "a dog called Toby; a parrot"}
    assert told["disclosure"]["fields"] == {"pets": "shape"}
    assert told["preferences"] == [{"text": "Write short sentences.", "opposite": LONG}]


def test_a_proposal_is_accepted_by_keys_alone_and_focus_goes_to_the_next(page: Page, person: Person) -> None:
    answered(page, PETS, SHORT)
    opened(page, person, "Proposals")

    tab_to(page, page.get_by_role("button", name="Look through the history"), most=20)
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(2)
    tab_to(page, rows(page).nth(0).get_by_role("button", name="Edit"), most=20)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(rows(page).nth(0).get_by_role("button", name="Accept")).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).nth(0).get_by_role("button", name="Accept")).to_be_focused()
    assert person.read()["fields"] == {"pets": "dog Toby"}


def test_drafting_is_stopped(page: Page, person: Person) -> None:
    opened(page, person, "Proposals")
    page.route("**/proposals", lambda route: None)  # it never answers
    draft(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. Nothing was changed.")).to_be_visible()
    expect(page.get_by_role("button", name="Look again")).to_be_focused()


def test_a_failure_is_said_in_words(page: Page, person: Person) -> None:
    opened(page, person, "Proposals")
    page.route("**/proposals", lambda route: route.abort())
    draft(page)
    expect(page.get_by_role("alert").filter(has_text="The server does not answer")).to_be_visible()
    page.unroute("**/proposals")
    answered(page)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("0 proposals from 2 texts.").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_state_is_accessible(page: Page, person: Person, scheme: str, accessible: Accessible) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    answered(page, PETS, SHORT, EVIL)
    opened(page, person, "Proposals")
    accessible(page)
    draft(page)
    expect(rows(page)).to_have_count(3)
    accessible(page)
    rows(page).nth(1).get_by_role("button", name="Edit").click()
    rows(page).nth(0).get_by_role("checkbox").check()
    accessible(page)
    page.unroute("**/proposals")
    page.route("**/proposals", lambda route: None)
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Stop").click()


def test_what_the_profile_says_already_is_accepted_and_not_said_twice(page: Page, person: Person) -> None:
    answered(page, PETS, SHORT)
    opened(page, person, "Proposals")
    draft(page)
    expect(rows(page)).to_have_count(2)
    both = {"pets": "dog Toby; a parrot"}
    wishes = [{"text": SHORT["value"], "opposite": LONG}]
    person.server.api("PATCH", person.path, {"fields": both, "preferences": wishes})
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Accept 2 proposals").click()
    expect(rows(page)).to_have_count(0)
    told = person.read()
    assert told["fields"] == both
    assert told["preferences"] == wishes
