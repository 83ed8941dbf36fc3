"""People: profiles are made, changed, ordered, exported, imported and erased, by clicks and by keys alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from page.conftest import watched
from page.keyboard import tab_to
from page.server import Server
from page.waiting import kept_waiting

ANNA: dict[str, Any] = {
    "id": "anna",
    "name": "Anna Ek",
    "fields": {"job": "Nurse", "writing_style": "Dry; short sentences", "pets": "Two hens"},
    "preferences": [{"text": "Answer briefly.", "opposite": "Answer at length."}, "Use plain words."],
    "disclosure": {"fields": {"pets": "off"}},
    "history": [{"title": "A letter", "text": "Dear Ruth, the hens are well."}],
}
# What would run, or run over, if a text were taken for anything else.
HOSTILE = {
    "html": "<img src=x onerror=\"window.reports.push('ran')\"><b>bold</b>",
    "script": "</p><script>window.reports.push('ran')</script>",
    "style": "<style>body{display:none}</style>",
    "right to left": "\u202eevil\u202c \u05d0\u05d1\u05d2 \u202dabc",
    "long": "x" * 200,
    "emoji": "\U0001f469\u200d\U0001f52c\U0001f3f3\ufe0f\u200d\U0001f308" * 10,
    "template": "${alert(1)} {{7*7}} %s \\ ' \"",
}


@pytest.fixture
def anna(server: Server) -> dict[str, Any]:
    """Anna as she is before each test."""
    server.api("POST", "/v1/profiles/import?replace=true", ANNA)
    profile: dict[str, Any] = server.api("GET", "/v1/profiles/anna")
    return profile


@pytest.fixture
def people(page: Page, anna: dict[str, Any]) -> Page:
    """The list of profiles."""
    page.get_by_role("navigation", name="Views").get_by_role("link", name="People").click()
    expect(page.get_by_role("list", name="Profiles")).to_be_visible()
    return page


@pytest.fixture
def opened(people: Page) -> Page:
    """Anna's page."""
    people.get_by_role("button", name="Anna Ek").click()
    expect(people.get_by_role("heading", level=1, name="Anna Ek")).to_be_focused()
    return people


def stored(server: Server, profile_id: str = "anna") -> dict[str, Any]:
    profile: dict[str, Any] = server.api("GET", f"/v1/profiles/{profile_id}")
    return profile


@contextmanager
def saving(page: Page) -> Iterator[None]:
    """What is done within it is saved by one change."""
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.ok):
        yield


def fact(page: Page, name: str) -> Locator:
    return (
        page.get_by_role("list", name="Facts")
        .get_by_role("listitem")
        .filter(has=page.get_by_role("heading", name=name, exact=True))
    )


# The list


def test_the_list_says_what_each_profile_has(people: Page, server: Server) -> None:
    server.api("PATCH", "/v1/profiles/anna", {"default": True})
    people.reload()
    entry = people.get_by_role("button", name="Anna Ek")
    expect(entry).to_contain_text("3 facts · 1 text")
    expect(entry).to_contain_text("Default")
    expect(people.get_by_role("button", name="Ingrid Solvang")).not_to_contain_text("Default")
    server.api("PATCH", "/v1/profiles/anna", {"default": False})


def test_a_profile_is_made(people: Page, server: Server, size: tuple[int, int]) -> None:
    new_id = f"zoe-{size[0]}"
    people.get_by_role("button", name="New profile").click()
    dialog = people.get_by_role("dialog", name="New profile")
    dialog.get_by_role("button", name="Make it").click()
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(dialog).to_contain_text("needs a name")
    dialog.get_by_label("Name").fill("Anna")
    expect(dialog.get_by_label("Id")).to_have_value("anna")
    people.keyboard.press("Enter")
    expect(dialog).to_contain_text("There is a profile of this id already")
    expect(dialog.get_by_label("Id")).to_be_focused()
    dialog.get_by_label("Id").fill(new_id)
    dialog.get_by_label("Name").fill("Zoë Ångström")
    expect(dialog.get_by_label("Id")).to_have_value(new_id)
    dialog.get_by_role("button", name="Make it").click()
    expect(people.get_by_role("heading", level=1, name="Zoë Ångström")).to_be_focused()
    assert stored(server, new_id)["name"] == "Zoë Ångström"
    people.get_by_role("button", name="All people").click()
    expect(people.get_by_role("button", name="Zoë Ångström")).to_be_focused()
    server.api("DELETE", f"/v1/profiles/{new_id}")


def test_an_id_is_made_of_a_name(page: Page) -> None:
    ids = page.evaluate(
        """async (names) => {
          const { idFrom } = await import("/web/js/views/people/new_profile.js");
          return names.map(idFrom);
        }""",
        ["Isabel Martínez", "  A--b_C!", "山田 太郎", "x" * 99, "<b>"],
    )
    assert ids == ["isabel-martinez", "a-b_c", "", "x" * 64, "b"]


# Facts


def test_a_fact_is_added_edited_renamed_and_deleted(opened: Page, server: Server) -> None:
    opened.get_by_role("button", name="Add a fact").click()
    opened.get_by_label("Name", exact=True).first.fill("signs_off")
    opened.get_by_label("What it says").fill("Anna, over and out")
    with saving(opened):
        opened.get_by_role("button", name="Add", exact=True).click()
    expect(fact(opened, "Signs off")).to_contain_text("Anna, over and out")
    # The form stays, empty, for the next one.
    expect(opened.get_by_label("Name", exact=True).first).to_be_focused()
    opened.keyboard.press("Escape")
    expect(opened.get_by_role("button", name="Add a fact")).to_be_focused()

    opened.get_by_role("button", name="Edit: Pets").click()
    form = opened.get_by_role("form", name="Save fact")
    form.get_by_label("Name").fill("animals")
    form.get_by_label("What it says").fill("Three hens")
    with saving(opened):
        form.get_by_role("button", name="Save").click()
    expect(opened.get_by_role("button", name="Edit: Animals")).to_be_focused()
    now = stored(server)
    assert list(now["fields"].items()) == [
        ("job", "Nurse"),
        ("writing_style", "Dry; short sentences"),
        ("animals", "Three hens"),
        ("signs_off", "Anna, over and out"),
    ]
    assert now["disclosure"]["fields"] == {"animals": "off"}, "its level goes along"

    with saving(opened):
        opened.get_by_role("button", name="Delete: Job").click()
    expect(fact(opened, "Job")).to_have_count(0)
    assert "job" not in stored(server)["fields"]


def test_a_deleted_fact_comes_back_to_its_place_with_its_level(opened: Page, server: Server) -> None:
    server.api("PATCH", "/v1/profiles/anna", {"disclosure": {"fields": {"job": "shape", "pets": "off"}}})
    before = stored(server)
    with saving(opened):
        opened.get_by_role("button", name="Delete: Job").click()
    undo = opened.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    assert list(stored(server)["fields"]) == ["writing_style", "pets"]
    with saving(opened):
        undo.press("Enter")
    expect(opened.get_by_role("button", name="Edit: Job")).to_be_focused()
    expect(undo).to_have_count(0)
    after = stored(server)
    assert list(after["fields"].items()) == list(before["fields"].items())
    assert after["disclosure"] == before["disclosure"]


def test_what_is_wrong_with_a_fact_is_said_in_its_form(opened: Page, server: Server) -> None:
    opened.get_by_role("button", name="Add a fact").click()
    form = opened.get_by_role("form", name="Add fact")
    for name, text, says in (
        ("", "x", "needs a name"),
        ("age", " ", "needs a text"),
        ("job", "x", "of that name already"),
        ("2024", "x", "needs a letter"),
    ):
        form.get_by_label("Name").fill(name)
        form.get_by_label("What it says").fill(text)
        form.get_by_role("button", name="Add").click()
        expect(form.get_by_role("alert")).to_contain_text(says)
    assert stored(server)["fields"] == ANNA["fields"]


def order(server: Server) -> list[str]:
    return list(stored(server)["fields"])


def test_facts_are_put_into_another_order_by_dragging(opened: Page, server: Server) -> None:
    handle = opened.get_by_role("button", name=re.compile("Move Job"))
    handle.scroll_into_view_if_needed()
    start, end = handle.bounding_box(), fact(opened, "Pets").bounding_box()
    assert start is not None
    assert end is not None
    opened.mouse.move(start["x"] + 5, start["y"] + 5)
    opened.mouse.down()
    opened.mouse.move(start["x"] + 5, start["y"] + 60, steps=5)
    opened.mouse.move(start["x"] + 5, end["y"] + end["height"] - 5, steps=10)
    with saving(opened):
        opened.mouse.up()
    assert order(server) == ["writing_style", "pets", "job"]
    headings = opened.get_by_role("list", name="Facts").get_by_role("heading")
    expect(headings).to_have_text(["Writing style", "Pets", "Job"])
    expect(opened.get_by_role("status")).to_have_text(re.compile("Job.*: now 3 of 3. Saved."))


@pytest.mark.parametrize("size", [(360, 740)], ids=["phone"])
def test_a_finger_drags_as_a_mouse_does(opened: Page, server: Server) -> None:
    handle = opened.get_by_role("button", name=re.compile("Move Job"))
    handle.scroll_into_view_if_needed()
    start, end = handle.bounding_box(), fact(opened, "Writing style").bounding_box()
    assert start is not None
    assert end is not None
    finger = opened.context.new_cdp_session(opened)

    def touch(kind: str, y: float | None = None) -> None:
        points = [] if y is None else [{"x": start["x"] + 10, "y": y}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", start["y"] + 10)
    for step in range(1, 11):
        touch("touchMove", start["y"] + 10 + (end["y"] + end["height"] - start["y"] - 15) * step / 10)
    with saving(opened):
        touch("touchEnd")
    assert order(server) == ["writing_style", "job", "pets"]


def test_escape_ends_a_drag_and_changes_nothing(opened: Page, server: Server) -> None:
    handle = opened.get_by_role("button", name=re.compile("Move Job"))
    handle.scroll_into_view_if_needed()
    start = handle.bounding_box()
    assert start is not None
    opened.mouse.move(start["x"] + 5, start["y"] + 5)
    opened.mouse.down()
    opened.mouse.move(start["x"] + 5, start["y"] + 300, steps=10)
    headings = opened.get_by_role("list", name="Facts").get_by_role("heading")
    expect(headings.first).not_to_have_text("Job")
    opened.keyboard.press("Escape")
    opened.mouse.up()
    expect(headings).to_have_text(["Job", "Writing style", "Pets"])
    assert order(server) == ["job", "writing_style", "pets"]


def test_facts_are_put_into_another_order_by_keys(opened: Page, server: Server) -> None:
    handle = opened.get_by_role("button", name=re.compile("Move Job"))
    handle.focus()
    with saving(opened):
        opened.keyboard.press("Alt+ArrowDown")
    expect(handle).to_be_focused()
    assert order(server) == ["writing_style", "job", "pets"]
    with saving(opened):
        opened.keyboard.press("Alt+ArrowUp")
    assert order(server) == ["job", "writing_style", "pets"]
    opened.keyboard.press("Alt+ArrowUp")  # is the first already
    up = opened.get_by_role("button", name="Move up: Pets")
    for _ in range(2):
        with saving(opened):
            up.press("Enter")
    # At the top there is nothing more to press: focus goes to its neighbour.
    expect(opened.get_by_role("button", name="Move down: Pets")).to_be_focused()
    assert order(server) == ["pets", "job", "writing_style"]


@pytest.mark.parametrize("by", ["Enter", "Alt+ArrowUp"])
def test_a_second_press_goes_on_from_where_the_first_leads(opened: Page, server: Server, by: str) -> None:
    up = opened.get_by_role("button", name="Move up: Pets")
    drawn = opened.get_by_role("list", name="Facts").get_by_role("heading")
    with kept_waiting(opened, "**/v1/profiles/anna"):
        up.press(by)
        up.press(by)
        expect(drawn).to_have_text(["Pets", "Job", "Writing style"])
    expect(opened.get_by_role("status")).to_contain_text("now 1 of 3. Saved.")
    assert order(server) == ["pets", "job", "writing_style"]


def test_another_window_s_changes_stay(opened: Page, server: Server) -> None:
    """Only what is changed here is sent, and it is made of what is stored now."""
    server.api(
        "PATCH",
        "/v1/profiles/anna",
        {
            "fields": {"job": "Midwife", "city": "Umeå"},
            "preferences": ["Use plain words.", "Be kind."],
            "disclosure": {"least": "shape", "identifiers": {"url": "open"}},
        },
    )
    with saving(opened):
        fact(opened, "Writing style").get_by_role("combobox").select_option("off")
    with saving(opened):
        opened.get_by_role("button", name="Delete: Pets").click()
    with saving(opened):
        opened.get_by_role("button", name="Move down: Job").click()
    now = stored(server)
    assert list(now["fields"].items()) == [
        ("writing_style", "Dry; short sentences"),
        ("job", "Midwife"),
        ("city", "Umeå"),
    ]
    assert now["disclosure"] == {
        "least": "shape",
        "identifiers": {"url": "open"},
        "fields": {"writing_style": "off"},
        "budget": None,
    }
    assert [one["text"] for one in now["preferences"]] == ["Use plain words.", "Be kind."]
    expect(fact(opened, "City")).to_be_visible()


def test_what_is_being_written_survives_changes_beside_it(opened: Page) -> None:
    opened.get_by_role("button", name="Edit: Pets").click()
    form = opened.get_by_role("form", name="Save fact")
    form.get_by_label("What it says").fill("Not yet saved")
    with saving(opened):
        opened.get_by_role("button", name="Move down: Job").click()
    expect(form.get_by_label("What it says")).to_have_value("Not yet saved")


# Levels


def test_levels_are_set_for_a_fact_for_identifiers_and_for_all(opened: Page, server: Server) -> None:
    opened.get_by_text("What the levels mean").click()
    expect(opened.get_by_text("Neither model reads it.")).to_be_visible()
    with saving(opened):
        opened.get_by_label("What replies may say of Job").select_option(label="Shapes only")
    with saving(opened):
        opened.get_by_label("What replies may say of Pets").select_option(label="May be said")
    with saving(opened):
        opened.get_by_label("Telephone numbers").select_option(label="Not read")
    with saving(opened):
        opened.get_by_label("For all there is, at least").select_option(label="Filled in here")
    expect(fact(opened, "Pets")).to_contain_text("“fill” by the rule for all")
    with saving(opened):
        opened.get_by_label("Budget of a conversation").fill("4.5")
        opened.keyboard.press("Tab")
    assert stored(server)["disclosure"] == {
        "least": "fill",
        "identifiers": {"phone": "off"},
        "fields": {"job": "shape"},
        "budget": 4.5,
    }
    opened.get_by_label("Budget of a conversation").fill("-1")
    opened.keyboard.press("Tab")
    expect(opened.get_by_text("A number, 0 or more, or nothing for no bound.")).to_be_visible()
    with saving(opened):
        opened.get_by_label("Budget of a conversation").fill("")
        opened.keyboard.press("Tab")
    with saving(opened):
        opened.get_by_label("Telephone numbers").select_option(label="As usual")
    assert stored(server)["disclosure"]["budget"] is None
    assert stored(server)["disclosure"]["identifiers"] == {}


# Preferences


def test_preferences_are_added_edited_ordered_and_deleted(opened: Page, server: Server) -> None:
    opened.get_by_role("button", name="Add a preference").click()
    form = opened.get_by_role("form", name="Add preference")
    form.get_by_label("How replies should be").fill("Be kind.")
    form.get_by_label("Rather than").fill("Be kind.")
    form.get_by_role("button", name="Add").click()
    expect(form.get_by_role("alert")).to_contain_text("The opposite says the same")
    form.get_by_label("Rather than").fill("Be blunt.")
    with saving(opened):
        opened.keyboard.press("Control+Enter")
    opened.keyboard.press("Escape")
    with saving(opened):
        opened.get_by_role("button", name="Move up: Be kind.").click()
    opened.get_by_role("button", name="Edit: Use plain words.").click()
    form = opened.get_by_role("form", name="Save preference")
    form.get_by_label("How replies should be").fill("Use short words.")
    with saving(opened):
        form.get_by_role("button", name="Save").click()
    assert stored(server)["preferences"] == [
        {"text": "Answer briefly.", "opposite": "Answer at length."},
        {"text": "Be kind.", "opposite": "Be blunt."},
        {"text": "Use short words.", "opposite": ""},
    ]
    with saving(opened):
        opened.get_by_role("button", name="Delete: Answer briefly.").click()
    assert len(stored(server)["preferences"]) == 2
    with saving(opened):
        opened.get_by_role("button", name="Undo").click()
    assert stored(server)["preferences"][0] == {"text": "Answer briefly.", "opposite": "Answer at length."}


# Settings


def test_settings_are_saved_as_they_are_changed(opened: Page, server: Server) -> None:
    with saving(opened):
        opened.get_by_label("Name", exact=True).fill("Anna Ek-Lund")
        opened.keyboard.press("Tab")
    expect(opened.get_by_role("heading", level=1)).to_have_text("Anna Ek-Lund")
    opened.get_by_label("Name", exact=True).fill(" ")
    opened.keyboard.press("Tab")
    expect(opened.get_by_text("A profile needs a name.")).to_be_visible()
    strength = opened.get_by_label("How strongly replies are steered")
    with saving(opened):
        strength.select_option("auto")
    assert stored(server)["strength"] == "auto"
    with saving(opened):
        strength.select_option("number")
    with saving(opened):
        opened.get_by_role("spinbutton", name="Strength").fill("1.5")
        opened.keyboard.press("Tab")
    assert stored(server)["strength"] == 1.5
    opened.get_by_role("spinbutton", name="Strength").fill("9")
    opened.keyboard.press("Tab")
    expect(opened.get_by_text("A number from 0 to 4.")).to_be_visible()
    with saving(opened):
        strength.select_option("server")
    with saving(opened):
        opened.get_by_label("Record replies").check()
    with saving(opened):
        opened.get_by_label("The default profile").check()
    expect(opened.get_by_text("Default", exact=True)).to_be_visible()
    now = stored(server)
    assert (now["name"], now["strength"], now["record_history"], now["default"]) == (
        "Anna Ek-Lund",
        None,
        True,
        True,
    )
    with saving(opened):
        opened.get_by_label("The default profile").uncheck()


def test_what_is_changed_while_something_is_being_saved_is_saved_too(opened: Page, server: Server) -> None:
    with kept_waiting(opened, "**/v1/profiles/anna"):
        opened.get_by_label("Record replies").check()
        opened.get_by_label("The default profile").check()
    expect(opened.get_by_text("Default", exact=True)).to_be_visible()
    expect(opened.get_by_label("The default profile")).to_be_checked()
    assert stored(server)["record_history"] is True
    with saving(opened):
        opened.get_by_label("The default profile").uncheck()


def test_what_is_being_typed_is_not_saved_with_what_was(opened: Page, server: Server) -> None:
    name = opened.get_by_label("Name", exact=True)
    with kept_waiting(opened, "**/v1/profiles/anna"):
        name.fill("Anna Ekman")
        name.press("Enter")
        name.fill("")
    expect(opened.get_by_role("status")).to_contain_text("Saved.")
    assert stored(server)["name"] == "Anna Ekman"
    expect(name).to_have_value("")


# Files


def test_an_export_is_a_file_that_comes_back_the_same(opened: Page, server: Server) -> None:
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "anna.json"
    exported = download.value.path().read_bytes()
    assert json.loads(exported) == server.api("GET", "/v1/profiles/anna/export")
    server.api("PATCH", "/v1/profiles/anna", {"name": "Somebody else"})
    opened.get_by_role("button", name="All people").click()
    file = {"name": "anna.json", "mimeType": "application/json", "buffer": exported}
    with opened.expect_file_chooser() as chooser:
        opened.get_by_role("button", name="Import a file").click()
    chooser.value.set_files(file)  # type: ignore[arg-type]
    dialog = opened.get_by_role("dialog", name="Replace the profile?")
    expect(dialog).to_contain_text("“Somebody else” (anna) already, with 3 facts and 1 text")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert stored(server)["name"] == "Somebody else"
    with opened.expect_file_chooser() as chooser:
        opened.get_by_role("button", name="Import a file").click()
    chooser.value.set_files(file)  # type: ignore[arg-type]
    dialog.get_by_role("button", name="Replace").click()
    expect(opened.get_by_role("heading", level=1, name="Anna Ek")).to_be_focused()
    assert server.api("GET", "/v1/profiles/anna/export") == json.loads(exported)


def drop(page: Page, name: str, text: str) -> None:
    """Drops a file on the list of profiles."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], name));
          return transfer;
        }""",
        [name, text],
    )
    target = page.locator(".people-list")
    target.dispatch_event("dragover", {"dataTransfer": transfer})
    target.dispatch_event("drop", {"dataTransfer": transfer})


def test_a_dropped_file_is_imported_and_its_mistakes_have_their_lines(people: Page, server: Server) -> None:
    drop(people, "Bo.TOML", 'id = "bo"\nnaem = "Bo"\n[fields]\nage = 7\n')
    trouble = people.get_by_role("alert").filter(has_text="The file was not imported")
    expect(trouble).to_contain_text("line 2, naem")
    expect(trouble).to_contain_text("line 4, fields.age")
    drop(people, "bo.json", "{")
    expect(trouble).to_contain_text("line 1")
    drop(people, "bo.toml", 'id = "bo"\nname = "Bo"\n')
    expect(people.get_by_role("heading", level=1, name="Bo")).to_be_focused()
    server.api("DELETE", "/v1/profiles/bo")


def test_a_profile_is_erased_only_by_whoever_says_so(opened: Page, server: Server) -> None:
    server.api("POST", "/v1/keys", {"profile": "anna"})
    opened.get_by_role("button", name="Delete profile").click()
    dialog = opened.get_by_role("dialog", name="Delete the profile?")
    expect(dialog).to_contain_text("3 facts, 1 text and 1 key")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("button", name="Delete profile")).to_be_focused()
    opened.get_by_role("button", name="Delete profile").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(opened.get_by_role("heading", level=1, name="People")).to_be_focused()
    expect(opened.get_by_role("button", name="Anna Ek")).to_have_count(0)
    assert server.api("GET", "/v1/keys")["data"] == []


# Whoever has a profile's key


@pytest.fixture
def own(context: BrowserContext, server: Server, anna: dict[str, Any]) -> Iterator[Page]:
    """The page with Anna's key in the tab."""
    secret = server.api("POST", "/v1/keys", {"profile": "anna"})["secret"]
    with watched(context.new_page(), server.url) as page:
        page.goto(server.url)
        page.evaluate("(key) => sessionStorage.setItem('costeer-key', key)", secret)
        page.reload()
        yield page


def test_a_profile_s_key_shows_its_own_profile_alone(
    own: Page, server: Server, accessible: Callable[[Page], None]
) -> None:
    views = own.get_by_role("navigation", name="Views")
    views.get_by_role("link", name="People").click()
    expect(own.get_by_role("heading", level=1, name="Anna Ek")).to_be_visible()
    for name in ("All people", "New profile"):
        expect(own.get_by_role("button", name=name)).to_have_count(0)
    expect(own.get_by_label("The default profile")).to_have_count(0)
    expect(views.get_by_role("link", name="Keys")).to_have_count(0)
    expect(own.get_by_text("Ingrid")).to_have_count(0)
    accessible(own)
    with saving(own):
        own.get_by_role("button", name="Delete: Pets").click()
    assert list(stored(server)["fields"]) == ["job", "writing_style"]
    own.goto(f"{server.url}/#keys")
    expect(own.get_by_role("heading", level=1)).to_have_text("Try")


def test_whoever_erases_their_own_profile_forgets_its_key(own: Page, server: Server) -> None:
    own.get_by_role("navigation", name="Views").get_by_role("link", name="People").click()
    own.get_by_role("button", name="Delete profile").click()
    expect(own.get_by_role("dialog")).to_contain_text("its keys, this tab's as well")
    own.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(own.get_by_role("button", name="Use a key")).to_be_visible()
    assert "anna" not in [one["id"] for one in server.api("GET", "/v1/profiles")["data"]]


# Hostile texts


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_texts(
    page: Page, server: Server, kind: str, accessible: Callable[[Page], None]
) -> None:
    text = HOSTILE[kind]
    hostile = {
        "id": "evil",
        "name": text,
        "fields": {text[:100]: text, "job": text},
        "preferences": [{"text": text, "opposite": f"not {text}"}],
    }
    server.api("POST", "/v1/profiles/import?replace=true", hostile)
    try:
        page.get_by_role("navigation", name="Views").get_by_role("link", name="People").click()
        page.locator("[data-profile=evil]").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(text)
        expect(fact(page, "Job").locator("p").first).to_have_text(text)
        accessible(page)
        with saving(page):
            page.get_by_role("list", name="Preferences").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("button", name="Undo")).to_be_visible()
        accessible(page)
        with saving(page):
            page.get_by_role("button", name="Undo").click()
        with saving(page):
            page.get_by_role("button", name="Move down").first.click()
        assert list(stored(server, "evil")["fields"]) == ["job", text[:100]]
        assert stored(server, "evil")["preferences"] == [{"text": text, "opposite": f"not {text}"}]
        page.get_by_role("button", name="Delete profile").click()
        accessible(page)
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", level=1, name="People")).to_be_focused()
        expect(page.locator("[data-profile=evil]")).to_have_count(0)
    finally:
        server.api("POST", "/v1/profiles/import?replace=true", {"id": "evil", "name": "x"})
        server.api("DELETE", "/v1/profiles/evil")


# By keys alone, and for everybody


def test_all_of_it_can_be_done_by_keys_alone(page: Page, server: Server, anna: dict[str, Any]) -> None:
    tab_to(page, page.get_by_role("navigation", name="Views").get_by_role("link", name="People"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Profiles")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Anna Ek"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Anna Ek")).to_be_focused()
    tab_to(page, page.get_by_role("button", name=re.compile("Move Job")))
    with saving(page):
        page.keyboard.press("Alt+ArrowDown")
    tab_to(page, page.get_by_label("What replies may say of Job"))
    with saving(page):
        page.keyboard.press("ArrowDown")
    tab_to(page, page.get_by_role("button", name="Edit: Job"))
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("Midwife")
    with saving(page):
        page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Edit: Job")).to_be_focused()
    page.keyboard.press("Tab")
    with saving(page):
        page.keyboard.press("Enter")  # delete
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    with saving(page):
        page.keyboard.press("Enter")  # undo
    expect(page.get_by_role("status")).to_contain_text("It is back.")
    tab_to(page, page.get_by_role("button", name="Add a fact"))
    page.keyboard.press("Enter")
    page.keyboard.type("city")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Go on writing")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # leave
    expect(page.get_by_role("button", name="Add a fact")).to_be_focused()
    tab_to(page, page.get_by_label("Record replies"))
    with saving(page):
        page.keyboard.press("Space")
    now = stored(server)
    assert list(now["fields"].items()) == [
        ("writing_style", "Dry; short sentences"),
        ("job", "Midwife"),
        ("pets", "Two hens"),
    ]
    assert now["disclosure"]["fields"] == {"job": "shape", "pets": "off"}
    assert now["record_history"] is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_is_accessible(opened: Page, scheme: str, accessible: Callable[[Page], None]) -> None:
    opened.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened.get_by_text("What the levels mean").click()
    accessible(opened)
    opened.get_by_role("button", name="Edit: Job").click()
    with saving(opened):
        opened.get_by_role("button", name="Delete: Pets").click()
    opened.get_by_role("button", name="Add a fact").click()
    opened.get_by_role("form", name="Add fact").get_by_role("button", name="Add").click()
    opened.get_by_role("button", name="Add a preference").click()
    opened.get_by_label("Budget of a conversation").fill("-1")
    opened.keyboard.press("Tab")
    accessible(opened)
    opened.get_by_role("button", name="Delete profile").click()
    expect(opened.get_by_role("dialog")).to_be_visible()
    accessible(opened)
    opened.keyboard.press("Escape")
    opened.get_by_role("button", name="All people").click()
    drop(opened, "bo.toml", "id = 7")
    accessible(opened)
    opened.get_by_role("button", name="New profile").click()
    opened.get_by_role("button", name="Make it").click()
    accessible(opened)


def test_without_profiles_there_is_a_word_about_it(page: Page, accessible: Callable[[Page], None]) -> None:
    page.route("**/v1/profiles", lambda route: route.fulfill(json={"object": "list", "data": []}))
    page.get_by_role("navigation", name="Views").get_by_role("link", name="People").click()
    expect(page.get_by_text("Nobody yet.")).to_be_visible()
    accessible(page)


def test_a_server_that_is_away_is_said_and_asked_again(opened: Page) -> None:
    opened.route("**/v1/profiles/anna", lambda route: route.abort())
    fact(opened, "Job").get_by_role("combobox").select_option("off")
    expect(opened.get_by_role("alert")).to_contain_text("Not saved. The server does not answer.")
    expect(fact(opened, "Job").get_by_role("combobox")).to_have_value("open")
    opened.unroute("**/v1/profiles/anna")
    opened.route("**/v1/profiles", lambda route: route.abort())
    opened.get_by_role("button", name="All people").click()
    expect(opened.get_by_text("The profiles could not be read")).to_be_visible()
    opened.unroute("**/v1/profiles")
    opened.get_by_role("button", name="Try again").click()
    expect(opened.get_by_role("button", name="Anna Ek")).to_be_focused()


def test_what_was_typed_while_the_server_is_away_stays_until_it_is_saved(
    opened: Page, server: Server
) -> None:
    name = opened.get_by_label("Name", exact=True).last
    opened.route("**/v1/profiles/anna", lambda route: route.abort())
    name.fill("Anna Maria Ek")
    name.press("Tab")
    expect(opened.get_by_text("Not saved. The server does not answer.")).to_be_visible()
    expect(name).to_have_attribute("aria-invalid", "true")
    opened.unroute("**/v1/profiles/anna")
    server.api("PATCH", "/v1/profiles/anna", {"fields": {"job": "Head nurse"}})
    opened.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(fact(opened, "Job")).to_contain_text("Head nurse")
    expect(name).to_have_value("Anna Maria Ek")
    name.press("Enter")
    expect(opened.get_by_role("heading", level=1)).to_have_text("Anna Maria Ek")
    expect(name).not_to_have_attribute("aria-invalid", "true")
    assert stored(server)["name"] == "Anna Maria Ek"
    opened.get_by_role("tab", name="History").click()
    expect(opened.get_by_role("heading", name="What Anna Maria Ek wrote")).to_be_visible()


def test_a_form_that_is_left_asks_where_something_was_written(opened: Page) -> None:
    opened.get_by_role("button", name="Add a fact").click()
    form = opened.get_by_role("form", name="Add fact")
    form.get_by_label("What it says").fill("A long story")
    opened.keyboard.press("Escape")
    asked = opened.get_by_role("dialog", name="Leave without saving?")
    expect(asked.get_by_role("button", name="Go on writing")).to_be_focused()
    opened.keyboard.press("Escape")
    expect(form.get_by_label("What it says")).to_have_value("A long story")
    expect(form.get_by_label("What it says")).to_be_focused()
    form.get_by_role("button", name="Cancel").click()
    asked.get_by_role("button", name="Leave").click()
    expect(opened.get_by_role("button", name="Add a fact")).to_be_focused()


@pytest.mark.parametrize("by", ["key", "button"])
def test_leaving_a_form_waits_for_what_is_being_saved(opened: Page, server: Server, by: str) -> None:
    def leave(form: Locator) -> None:
        opened.keyboard.press("Escape") if by == "key" else form.get_by_role("button", name="Cancel").click()

    opened.get_by_role("button", name="Add a fact").click()
    form = opened.get_by_role("form", name="Add fact")
    form.get_by_label("Name").fill("boat")
    form.get_by_label("What it says").fill("A dinghy")
    anna = "**/v1/profiles/anna"
    with kept_waiting(opened, anna):
        with opened.expect_request(anna):
            form.get_by_role("button", name="Add", exact=True).click()
        leave(form)
    expect(opened.get_by_role("button", name="Add a fact")).to_be_focused()
    assert stored(server)["fields"]["boat"] == "A dinghy"

    opened.get_by_role("button", name="Edit: Boat").click()
    form = opened.get_by_role("form", name="Save fact")
    form.get_by_label("What it says").fill("A ship")
    with kept_waiting(opened, anna):
        with opened.expect_request(anna):
            form.get_by_role("button", name="Save").click()
        leave(form)
    expect(opened.get_by_role("button", name="Edit: Boat")).to_be_focused()
    assert stored(server)["fields"]["boat"] == "A ship"


def test_leaving_a_form_asks_once_its_saving_has_failed(opened: Page) -> None:
    opened.get_by_role("button", name="Add a fact").click()
    form = opened.get_by_role("form", name="Add fact")
    form.get_by_label("Name").fill("pets")
    form.get_by_label("What it says").fill("A dog")
    with kept_waiting(opened, "**/v1/profiles/anna"):
        form.get_by_role("button", name="Add", exact=True).click()
        opened.keyboard.press("Escape")
    asked = opened.get_by_role("dialog", name="Leave without saving?")
    asked.get_by_role("button", name="Go on writing").click()
    expect(form.get_by_role("alert")).to_contain_text("There is a fact of that name already")
    expect(form.get_by_label("What it says")).to_have_value("A dog")


@pytest.mark.parametrize("name", ["constructor", "__proto__"])
def test_names_that_every_object_has_are_names_like_any_other(
    opened: Page, server: Server, name: str
) -> None:
    opened.get_by_role("button", name="Add a fact").click()
    form = opened.get_by_role("form", name="Add fact")
    form.get_by_label("Name").fill(name)
    form.get_by_label("What it says").fill("Builds bridges")
    with saving(opened):
        form.get_by_role("button", name="Add", exact=True).click()
    row = opened.get_by_role("list", name="Facts").get_by_role("listitem").last
    expect(row.get_by_role("combobox")).to_have_value("open")
    with saving(opened):
        row.get_by_role("combobox").select_option("shape")
    after = stored(server)
    assert after["fields"] == {**ANNA["fields"], name: "Builds bridges"}
    assert after["disclosure"]["fields"] == {"pets": "off", name: "shape"}


def test_a_hundred_facts_are_the_most_and_that_is_said(people: Page, server: Server) -> None:
    server.api("PATCH", "/v1/profiles/anna", {"fields": {f"fact_{place}": "x" for place in range(97)}})
    people.reload()
    people.get_by_role("button", name="Anna Ek").click()
    expect(people.get_by_text("There are 100 facts, which is the most.")).to_be_visible()
    expect(people.get_by_role("button", name="Add a fact")).to_be_hidden()
    people.get_by_role("button", name="Delete: Fact 96").click()
    expect(people.get_by_role("button", name="Add a fact")).to_be_visible()
    expect(people.get_by_text("There are 100 facts")).to_be_hidden()


def test_the_acts_of_a_lone_preference_stand_at_the_end_of_its_row(opened: Page) -> None:
    rows = opened.get_by_role("list", name="Preferences").get_by_role("listitem")
    ends = """rows => rows.map((row) => row.querySelector(".acts").getBoundingClientRect().right)"""
    before = rows.evaluate_all(ends)[0]
    with saving(opened):
        rows.last.get_by_role("button", name="Delete").click()
    assert rows.first.locator(".acts").evaluate("one => one.getBoundingClientRect().right") == before
