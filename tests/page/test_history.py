"""The tab History: texts to read, search, change and delete, and files to add, by clicks, drops and keys."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from sources import made

from page.keyboard import tab_to
from page.persons import Person, made_person, opened
from page.server import Server
from page.waiting import kept_waiting

Accessible = Callable[[Page], None]
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script><style>*{display:none}</style>'
KEPT = ["Diary/monday.md", "Diary/old/b.txt"]
LEFT = ["Diary/.obsidian/app.json", "Diary/bed.png", "Diary/old/node_modules/a.txt"]
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe\N{POP DIRECTIONAL FORMATTING} שלום"


@pytest.fixture
def person(server: Server) -> Person:
    return made_person(server)


def texts(page: Page) -> Locator:
    return page.get_by_role("list", name="Texts").get_by_role("listitem")


def note(page: Page, words: str) -> None:
    expect(page.locator(".note[role=status]")).to_contain_text(words)


def choose(page: Page, *files: Any) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add files").click()
    chooser.value.set_files(list(files))


def in_memory(name: str, text: str | bytes) -> dict[str, Any]:
    data = text.encode() if isinstance(text, str) else text
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def file_row(page: Page, name: str) -> Locator:
    return page.locator(".sent-file", has=page.get_by_text(name, exact=True))


def test_a_text_is_written_found_read_changed_and_deleted(page: Page, person: Person) -> None:
    person.wrote(
        {"title": "The boat", "text": "The boat lies in the harbour. " * 40 + "Then a café was built."}
    )
    opened(page, person, "History")
    page.get_by_role("button", name="Write a text").click()
    writing = page.get_by_role("dialog", name="Write a text")
    writing.get_by_role("button", name="Add").click()
    expect(writing.get_by_role("alert").filter(has_text="There is no text yet.")).to_be_visible()
    writing.get_by_label("Text", exact=True).fill("It rained all week at the allotment.")
    writing.get_by_label("Title").fill("Rain")
    writing.get_by_label("What replies may say of it").select_option("shape")
    writing.get_by_role("button", name="Add").click()
    note(page, "Added.")
    expect(texts(page)).to_have_count(2)
    expect(texts(page).first).to_contain_text("Shapes only")
    page.get_by_role("searchbox", name="Search the texts").fill("CAFE")
    page.get_by_role("button", name="Search").click()
    expect(texts(page)).to_have_count(1)
    expect(texts(page).locator("mark")).to_have_text("café")
    page.get_by_role("searchbox").fill("zeppelin")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing matches. Try other words.").first).to_be_visible()
    page.get_by_role("searchbox").fill("")
    expect(texts(page)).to_have_count(2)
    texts(page).first.get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Rain")
    expect(dialog).to_contain_text("It rained all week at the allotment.")
    dialog.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Text", exact=True).fill("It snowed all week.")
    dialog.get_by_role("button", name="Save").click()
    note(page, "Saved.")
    expect(dialog).to_contain_text("It snowed all week.")
    dialog.get_by_role("button", name="Close").click()
    expect(texts(page).first).to_contain_text("It snowed all week.")
    assert person.texts()[0]["disclosure"] == "shape"
    texts(page).first.get_by_role("button").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete this text?").get_by_role("button", name="Delete").click()
    note(page, "Deleted.")
    expect(texts(page)).to_have_count(1)
    expect(texts(page).first.get_by_role("button")).to_be_focused()
    assert [one["title"] for one in person.texts()] == ["The boat"]


def test_all_of_it_goes_by_keys_alone(page: Page, person: Person) -> None:
    person.wrote({"title": "One", "text": "First."}, {"title": "Two", "text": "Second."})
    opened(page, person, "History")
    tab = page.get_by_role("tab", name="History")
    expect(tab).to_be_focused()
    expect(texts(page)).to_have_count(2)

    row = texts(page).nth(0).get_by_role("button")
    tab_to(page, row, most=30)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Two")
    expect(
        dialog.get_by_role("region", name="Text", exact=True).or_(dialog.get_by_role("button", name="Edit"))
    ).to_have_count(2)
    page.keyboard.press("Escape")
    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, dialog.get_by_role("button", name="Edit"), most=30)
    page.keyboard.press("Enter")
    tab_to(page, dialog.get_by_label("Title"), most=30)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Second thoughts")
    page.keyboard.press("Enter")
    note(page, "Saved.")
    page.keyboard.press("Escape")
    expect(texts(page).nth(0)).to_contain_text("Second thoughts")
    expect(texts(page).nth(0).get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("dialog").get_by_role("button", name="Delete"), most=30)
    page.keyboard.press("Enter")
    asking = page.get_by_role("dialog", name="Delete this text?")
    expect(asking.get_by_role("button", name="Cancel")).to_be_focused()
    tab_to(page, asking.get_by_role("button", name="Delete"), most=30)
    page.keyboard.press("Enter")
    expect(texts(page)).to_have_count(1)
    expect(texts(page).nth(0).get_by_role("button")).to_be_focused()


def test_files_are_looked_at_added_known_again_and_refused_with_reasons(page: Page, person: Person) -> None:
    opened(page, person, "History")
    expect(page.get_by_text("Nothing yet. Drop letters")).to_be_visible()
    letter = in_memory("letter.txt", "Dear Ruth, the boat is in the water.")
    broken = in_memory("broken.docx", b"PK\x03\x04 cut off")
    photo = in_memory("photo.jpg", b"\xff\xd8\xff\xe0")
    choose(page, letter, broken, photo)
    expect(page.get_by_role("heading", name="3 files to add")).to_be_focused()
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_role("heading", name="What would be added")).to_be_focused()
    note(page, "Would add 1 text. 1 file could not be read.")
    file_row(page, "letter.txt").get_by_text("What it says").click()
    expect(file_row(page, "letter.txt")).to_contain_text("the boat is in the water")
    expect(file_row(page, "broken.docx")).to_contain_text("Not read: damaged")
    expect(file_row(page, "photo.jpg")).to_contain_text("not a kind of file that is read")
    assert person.texts() == []
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="What was added")).to_be_focused()
    expect(file_row(page, "letter.txt")).to_contain_text("Added 1 text.")
    expect(texts(page)).to_have_count(1)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("button", name="Add files")).to_be_focused()
    page.get_by_role("searchbox").fill("boat")
    page.keyboard.press("Enter")
    expect(texts(page).locator("mark")).to_have_text("boat")
    choose(page, letter)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(file_row(page, "letter.txt")).to_contain_text("Added 0 texts; 1 here already.")
    note(page, "Added 0 texts. 1 text is here already.")
    assert [one["title"] for one in person.texts()] == ["letter"]


def test_of_mail_and_chats_it_is_asked_who_the_person_is(page: Page, person: Person) -> None:
    opened(page, person, "History")
    others = made.mail(sender="Bo <bo@example.com>", Message_ID="<2@x>")
    choose(page, in_memory("boat.eml", made.mail()), in_memory("other.eml", others))
    page.get_by_role("button", name="Add", exact=True).click()
    expect(file_row(page, "boat.eml")).to_contain_text("It is not known which of it is yours.")
    page.get_by_label("How mail and chats call you").fill("Anna\nanna@example.com")
    page.get_by_role("button", name="Try again with these names").click()
    expect(file_row(page, "boat.eml")).to_contain_text("Added 1 text.")
    expect(file_row(page, "other.eml")).to_contain_text("mail that somebody else sent")
    assert [one["title"] for one in person.texts()] == ["The boat"]


def test_files_are_dropped_anywhere(page: Page, person: Person) -> None:
    opened(page, person, "History")
    dropped = page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["It rained."], "rain.md"));
          data.items.add(new File(["It snowed."], "snow.md"));
          return data;
        }"""
    )
    place = page.locator(".history")
    place.dispatch_event("dragenter", {"dataTransfer": dropped})
    expect(place).to_have_class("stack history dropping")
    place.dispatch_event("dragover", {"dataTransfer": dropped})
    place.dispatch_event("drop", {"dataTransfer": dropped})
    expect(place).to_have_class("stack history")
    expect(page.get_by_role("heading", name="2 files to add")).to_be_focused()
    page.get_by_label("What replies may say of it").select_option("off")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(texts(page)).to_have_count(2)
    assert {one["disclosure"] for one in person.texts()} == {"off"}


def test_a_file_that_is_dropped_beside_the_place_does_not_replace_the_page(page: Page) -> None:
    kept = page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["It rained."], "rain.md"));
          const drop = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
          return !document.querySelector(".wordmark").dispatchEvent(drop);
        }"""
    )
    assert kept


def test_a_folder_is_read_with_all_in_it_but_what_programs_keep(
    page: Page, person: Person, tmp_path: Path
) -> None:
    for name in KEPT + LEFT:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"About {path.stem}.")
    opened(page, person, "History")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add a folder").click()
    chooser.value.set_files(tmp_path / "Diary")
    expect(page.get_by_role("heading", name="2 files to add")).to_be_visible()
    expect(page.get_by_text("3 other files of the folder are not of a kind that is read")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="What was added")).to_be_visible()
    assert sorted(one["source"] for one in person.texts()) == KEPT


def test_what_is_stopped_is_said_and_the_rest_is_added_afterwards(page: Page, person: Person) -> None:
    opened(page, person, "History")
    page.route("**/history/files", lambda route: None)  # it never answers
    choose(page, in_memory("a.txt", "One."), in_memory("b.txt", "Two."))
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    expect(file_row(page, "a.txt").get_by_role("progressbar")).to_be_visible()
    page.keyboard.press("Enter")
    expect(file_row(page, "a.txt")).to_contain_text("Stopped: nothing of it was added.")
    expect(file_row(page, "b.txt")).to_contain_text("Stopped before it was sent.")
    page.unroute("**/history/files")
    page.get_by_role("button", name="Add the rest: 2 files").click()
    note(page, "Added 2 texts.")
    assert len(person.texts()) == 2


def test_a_server_that_is_away_is_said_in_words_with_what_to_do(page: Page, person: Person) -> None:
    opened(page, person, "History")
    page.route("**/history/files", lambda route: route.abort())
    choose(page, in_memory("a.txt", "One."))
    page.get_by_role("button", name="Add", exact=True).click()
    expect(file_row(page, "a.txt")).to_contain_text("Not added. The server does not answer")
    page.unroute("**/history/files")
    page.route("**/history?limit=50", lambda route: route.abort())
    page.get_by_role("button", name="Add the rest: 1 file").click()
    trouble = page.get_by_role("alert").filter(has_text="The texts could not be read")
    expect(trouble).to_be_visible()
    page.unroute("**/history?limit=50")
    trouble.get_by_role("button", name="Try again").click()
    expect(texts(page)).to_have_count(1)


def test_names_and_texts_are_never_read_as_markup(page: Page, server: Server, accessible: Accessible) -> None:
    person = made_person(server, name=f"{HOSTILE[:40]} {TURNED}")
    text = f"{HOSTILE} rain {TURNED}"
    person.wrote({"title": HOSTILE, "text": text, "source": HOSTILE, "request": HOSTILE})
    opened(page, person, "History")
    expect(texts(page).first).to_contain_text("<script>alert(2)</script>")
    choose(
        page,
        in_memory(f"{TURNED}<script>alert(1)<_script>.txt", HOSTILE),
        in_memory("a\u202eb.md", f"# {HOSTILE}\n\nText."),
    )
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_role("heading", name="What would be added")).to_be_visible()
    page.locator(".sent-file summary").first.click()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(texts(page)).to_have_count(3)
    page.get_by_role("searchbox").fill("rain")
    page.keyboard.press("Enter")
    expect(texts(page)).to_have_count(1)
    texts(page).first.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("onerror")
    accessible(page)
    made_of_texts = page.locator("main :is(img, script, style), dialog :is(img, script, style)")
    assert made_of_texts.count() == 0


def test_a_thousand_texts_come_page_by_page(page: Page, person: Person, accessible: Accessible) -> None:
    person.wrote(
        *({"title": f"Text {number}", "text": f"It is about {number}. " * 20} for number in range(1000))
    )
    opened(page, person, "History")
    expect(page.get_by_text("1,000 texts, the newest first.")).to_be_visible()
    expect(texts(page)).to_have_count(50)
    expect(texts(page).first).to_contain_text("Text 999")
    for number in range(100, 1001, 50):
        page.get_by_role("button", name="Show more").click()
        expect(texts(page)).to_have_count(number)
        expect(texts(page).nth(number - 50).get_by_role("button")).to_be_focused()
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    expect(texts(page).last).to_contain_text("Text 0")
    accessible(page)


def test_a_profile_s_key_adds_to_its_own_history(page: Page, person: Person) -> None:
    key = person.server.api("POST", "/v1/keys", {"profile": person.id, "label": "test"})
    page.get_by_role("button", name="Use a key").click()
    page.get_by_label("Key", exact=True).fill(key["secret"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Forget key")).to_be_visible()
    page.get_by_role("navigation", name="Views").get_by_role("link", name="People").click()
    expect(page.get_by_role("heading", level=1, name=person.name)).to_be_visible()
    page.get_by_role("tab", name="History").click()
    choose(page, in_memory("rain.md", "It rained."))
    page.get_by_role("button", name="Add", exact=True).click()
    note(page, "Added 1 text.")
    person.server.api("DELETE", f"/v1/keys/{key['id']}")
    assert [one["source"] for one in person.texts()] == ["rain.md"]


def test_deleting_all_asks_with_the_number(page: Page, person: Person) -> None:
    person.wrote("One.", "Two.", "Three.")
    opened(page, person, "History")
    page.get_by_role("button", name="Delete all").click()
    asking = page.get_by_role("dialog", name="Delete the whole history?")
    expect(asking).to_contain_text("3 texts")
    page.keyboard.press("Escape")
    assert len(person.texts()) == 3
    page.get_by_role("button", name="Delete all").click()
    asking.get_by_role("button", name="Delete 3 texts").click()
    note(page, "Deleted: 3 texts.")
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Delete all")).to_be_hidden()
    assert person.texts() == []


def test_a_long_file_shows_how_far_it_is(page: Page, person: Person) -> None:
    lines = "".join(
        json.dumps({"text": f"Text {number}. " + "It rained. " * 50}) + "\n" for number in range(3000)
    )
    opened(page, person, "History")
    page.evaluate(
        """() => {
          window.said = new Set();
          new MutationObserver(() => {
            const words = document.querySelectorAll(".sent-file .progress span");
            for (const one of words) window.said.add(one.textContent);
          }).observe(document.body, { childList: true, characterData: true, subtree: true });
        }"""
    )
    choose(page, in_memory("many.jsonl", lines))
    page.get_by_role("button", name="Add", exact=True).click()
    note(page, "Added 3,000 texts.")
    said = page.evaluate("[...window.said]")
    assert any(one.startswith("Reading: ") for one in said), said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_state_is_accessible(page: Page, person: Person, scheme: str, accessible: Accessible) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened(page, person, "History")

    def check() -> None:
        page.evaluate("window.scrollTo(0, 0)")  # what the head of the page hides in part counts as too small
        accessible(page)

    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    check()
    choose(
        page,
        in_memory("mail.eml", made.mail()),
        in_memory("bad.docx", b"PK"),
        in_memory("fine.md", "# Rain\n\nIt rained."),
    )
    expect(page.get_by_role("heading", name="3 files to add")).to_be_visible()
    check()
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_role("heading", name="What would be added")).to_be_visible()
    check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="What was added")).to_be_visible()
    check()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("searchbox").fill("rained")
    page.keyboard.press("Enter")
    expect(page.locator("mark").first).to_be_visible()
    check()
    texts(page).first.get_by_role("button").click()
    check()
    page.get_by_role("dialog").get_by_role("button", name="Edit").click()
    check()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete all").click()
    check()


def test_what_was_written_is_not_lost_to_a_key(page: Page, person: Person) -> None:
    opened(page, person, "History")
    page.get_by_role("button", name="Write a text").click()
    writing = page.get_by_role("dialog", name="Write a text")
    text = writing.get_by_label("Text", exact=True)
    text.fill("Pages and pages.")
    page.keyboard.press("Escape")
    asked = page.get_by_role("dialog", name="Leave without saving?")
    asked.get_by_role("button", name="Go on writing").click()
    expect(text).to_have_value("Pages and pages.")
    writing.get_by_role("button", name="Add").dblclick()
    note(page, "Added.")
    assert [one["text"] for one in person.texts()] == ["Pages and pages."]
    page.get_by_role("button", name="Write a text").click()
    page.keyboard.press("Escape")
    expect(writing).to_be_hidden()
    texts(page).first.get_by_role("button").click()
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("dialog").get_by_label("Text", exact=True).fill("Less.")
    page.keyboard.press("Escape")
    asked.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert [one["text"] for one in person.texts()] == ["Pages and pages."]


def test_leaving_a_text_waits_for_what_is_being_saved(page: Page, person: Person) -> None:
    opened(page, person, "History")
    page.get_by_role("button", name="Write a text").click()
    writing = page.get_by_role("dialog", name="Write a text")
    writing.get_by_label("Text", exact=True).fill("Pages and pages.")
    with kept_waiting(page, "**/history"):
        with page.expect_request("**/history"):
            writing.get_by_role("button", name="Add").click()
        page.keyboard.press("Escape")
    note(page, "Added.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    texts(page).first.get_by_role("button").click()
    reading = page.get_by_role("dialog")
    reading.get_by_role("button", name="Edit").click()
    reading.get_by_label("Text", exact=True).fill("Less.")
    with kept_waiting(page, "**/history/*"):
        with page.expect_request("**/history/*"):
            reading.get_by_role("button", name="Save").click()
        page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(texts(page).first).to_contain_text("Less.")
    assert [one["text"] for one in person.texts()] == ["Less."]


def test_a_text_that_another_window_has_deleted_goes(page: Page, person: Person) -> None:
    person.wrote({"title": "One", "text": "First."}, {"title": "Two", "text": "Second."})
    opened(page, person, "History")
    texts(page).first.get_by_role("button").click()
    person.server.api("DELETE", f"{person.path}/history/{person.texts()[0]['id']}")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete this text?").get_by_role("button", name="Delete").click()
    note(page, "It was deleted already.")
    expect(texts(page)).to_have_count(1)


def test_where_there_is_no_text_there_is_nothing_to_search_or_delete(page: Page, person: Person) -> None:
    person.wrote({"title": "One", "text": "First."})
    opened(page, person, "History")
    search = page.get_by_role("searchbox", name="Search the texts")
    erase = page.get_by_role("button", name="Delete all")
    expect(search).to_be_visible()
    expect(erase).to_be_visible()
    texts(page).first.get_by_role("button").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete this text?").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    expect(search).to_be_hidden()
    expect(erase).to_be_hidden()
    expect(page.get_by_role("heading", name="wrote")).to_be_focused()


def test_the_command_for_a_file_that_is_too_large_runs_nothing_of_its_name(
    page: Page, tmp_path: Path
) -> None:
    name = "$(touch ran)`touch ran`'; touch ran; '.txt"
    told = page.evaluate(
        """async (name) => {
          const { createSentFile } = await import("/web/js/views/people/sent_file.js");
          const row = createSentFile({ file: { size: 2e8 }, name }, { id: "mara" });
          await row.send("", {}, null);
          return row.element.querySelector(".outcome").textContent;
        }""",
        name,
    )
    words = told.split("costeer ")[1]
    shell = ["sh", "-c", f"printf '%s\\n' {words}"]
    printed = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["history", "add", "mara", name]
    assert list(tmp_path.iterdir()) == []
