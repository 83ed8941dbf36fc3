"""Try: a conversation that is answered in columns, its words and what is told of them, by clicks and keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from page.conftest import watched
from page.server import Server
from page.streams import answer_with, chunk, reply, token

PHONE = 600  # px; below it is one
FINISHED = re.compile("finished")
MARKED = reply(
    ("Dear", token("Dear")),
    (" old", token(" old", nats=0.2)),
    (" sailor", token(" sailor", nats=2.0, drafted=" friend")),
    (" of", token(" of", held_back=True)),
    (" Ina Bo", token(" [Your name]", filled=True)),
    (",\n\n", token(",\n\n")),
    ("yours", token("yours", nats=0.6)),
)
HOSTILE = (
    "<img src=x onerror=\"document.title='hurt'\"><script>document.title='hurt'</script><style>*{color:red}"
)
LONG = reply(*((f" word{at}" + ("\n" if at % 12 == 11 else ""), token(f" word{at}")) for at in range(400)))


def narrow(page: Page) -> bool:
    return bool(page.evaluate("innerWidth") < PHONE)


def send(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def finish(page: Page, text: str = "Hello") -> None:
    """Send a message and wait until all replies to it are finished."""
    send(page, text)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden(timeout=120_000)
    expect(page.get_by_role("status")).to_have_text(FINISHED)


def column(page: Page, number: int) -> Locator:
    """A column, turned to where it is a tab."""
    if narrow(page):
        page.get_by_role("tab").nth(number).click()
    return page.locator(".column").nth(number)


def setting(page: Page, label: str, value: str) -> None:
    page.get_by_role("button", name="Settings").click()
    page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Done").click()


def asked(page: Page) -> list[dict[str, Any]]:
    """What the page has asked since `answer_with`."""
    requests: list[dict[str, Any]] = page.evaluate("window.asked")
    return requests


def figure(inside: Locator, label: str) -> Locator:
    return inside.locator(".figures dl > div").filter(has_text=label).locator("dd")


# The conversation


def test_the_remote_alone_and_a_profile_answer_side_by_side(page: Page) -> None:
    setting(page, "Length", "12")
    setting(page, "Temperature", "0")
    finish(page, "Write a short note to my neighbour.")
    alone = column(page, 0)
    expect(alone.locator(".reply")).to_have_text(re.compile(r"\w"))
    expect(alone.locator(".reply .changed")).to_have_count(0)
    expect(figure(alone, "Accepted")).to_have_text("100 %")
    expect(figure(alone, "Nats told")).to_have_text("0.00")
    steered = column(page, 1)
    expect(steered.locator(".reply")).to_have_text(re.compile(r"\w"))
    expect(figure(steered, "Requests")).to_have_text(re.compile(r"^\d+$"))
    expect(figure(steered, "First token")).to_have_text(re.compile(r"^[\d,]+ ms$"))
    expect(figure(steered, "Speed")).to_have_text(re.compile(r"^[\d.]+/s$"))
    expect(figure(steered, "Nats told")).to_have_text(re.compile(r"^\d+\.\d\d$"))
    steered.get_by_role("button", name="What left").click()
    left = page.get_by_role("dialog", name="What left")
    expect(left).to_contain_text("Write a short note to my neighbour.")
    left.get_by_role("button", name="Close").click()
    expect(steered.get_by_role("button", name="What left")).to_be_focused()


def test_on_a_phone_columns_are_tabs_and_on_a_laptop_they_are_all_seen(page: Page) -> None:
    columns = page.locator(".column")
    expect(columns).to_have_count(2)
    if not narrow(page):
        expect(page.get_by_role("tab")).to_have_count(0)
        expect(columns.nth(0)).to_be_visible()
        expect(columns.nth(1)).to_be_visible()
        return
    first = page.get_by_role("tab", name="Remote alone")
    expect(first).to_have_attribute("aria-selected", "true")
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab").nth(1)).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    expect(columns.nth(0)).to_be_hidden()
    expect(columns.nth(1)).to_be_visible()


def test_each_column_asks_as_it_says_and_keeps_its_own_turns(page: Page) -> None:
    page.get_by_role("button", name="Add column").click()
    expect(page.get_by_role("button", name="Add column")).to_be_disabled()
    column(page, 1).get_by_label("Written for").select_option("ingrid")  # others may have come first
    third = column(page, 2)
    third.get_by_label("Written for").select_option("walter")
    third.get_by_label("Strength").select_option("2")
    setting(page, "Temperature", "0.3")
    setting(page, "Seed", "11")
    answer_with(page, reply(("One", token("One"))))
    finish(page, "First")
    answer_with(page, reply(("Two", token("Two"))))
    finish(page, "Second")
    bodies = [one["body"] for one in asked(page)]
    assert [(one.get("profile"), one["strength"]) for one in bodies] == [
        (None, 0),
        ("ingrid", "auto"),
        ("walter", 2),
    ]
    for body in bodies:
        assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.3, 11, 300)
        assert [one["content"] for one in body["messages"]] == ["First", "One", "Second"]
    expect(third.locator(".by").last).to_have_text(re.compile("Walter.*, strength 2"))


def test_a_column_can_be_taken_away_and_focus_stays_in_the_view(page: Page) -> None:
    page.get_by_role("button", name="Add column").click()
    column(page, 2).get_by_role("button", name="Take this column away").click()
    expect(page.locator(".column")).to_have_count(2)
    expect(page.get_by_role("button", name="Add column")).to_be_focused()
    expect(page.get_by_role("button", name="Take this column away")).to_have_count(0)


def test_nothing_is_recorded_unless_that_is_ticked(page: Page) -> None:
    answer_with(page, MARKED)
    finish(page)
    assert {one["headers"].get("X-CoSteer-Record") for one in asked(page)} == {"off"}
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Record these exchanges").check()
    page.keyboard.press("Escape")
    answer_with(page, MARKED)
    finish(page)
    assert [one["headers"].get("X-CoSteer-Record") for one in asked(page)] == [None, None]
    if not narrow(page):
        expect(page.get_by_text("recorded where a profile records")).to_be_visible()


@pytest.mark.parametrize("by", ["button", "key"])
def test_replies_are_stopped_and_what_is_there_goes_on_with(page: Page, by: str) -> None:
    answer_with(page, MARKED, pace=0)
    send(page, "Hello")
    expect(page.locator(".reply .w")).to_have_count(2)
    if by == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(column(page, 0).get_by_text("Stopped.")).to_be_visible()
    answer_with(page, MARKED)
    send(page, "Go on")
    expect(page.locator(".turn").nth(3)).to_be_attached()
    first = asked(page)[0]["body"]["messages"]
    assert [one["content"] for one in first] == ["Hello", "Dear", "Go on"]


def test_a_reply_is_written_again_with_what_the_column_says_now(page: Page) -> None:
    answer_with(page, MARKED)
    finish(page)
    steered = column(page, 1)
    steered.get_by_label("Strength").select_option("4")
    answer_with(page, reply(("Again", token("Again"))))
    steered.get_by_role("button", name="Write again").click()
    expect(steered.locator(".reply")).to_have_text("Again")
    (request,) = asked(page)
    assert (request["body"]["strength"], len(request["body"]["messages"])) == (4, 1)
    expect(steered.locator(".turn")).to_have_count(1)
    expect(column(page, 0).locator(".reply")).to_have_text(re.compile("Dear"))


def test_clearing_asks_first(page: Page) -> None:
    answer_with(page, MARKED)
    expect(page.get_by_role("button", name="Clear")).to_be_disabled()
    finish(page)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator(".turn")).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Clear").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.get_by_label("Message")).to_be_focused()


def test_by_keys_alone(page: Page) -> None:
    """Write, send, walk the words, pin the card, leave it, and write again."""
    answer_with(page, MARKED)
    page.get_by_label("Message").focus()
    page.keyboard.type("Hello")
    if narrow(page):  # there Enter is for a new line, since a phone's keyboard has no Shift and Enter
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(FINISHED)
    inside = page.locator(".column:visible").first
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('.reply .w')"):
            break
    word = page.locator(".w:focus")
    expect(word).to_have_text("Dear")
    page.keyboard.press("ArrowRight")
    expect(word).to_have_text("old")
    page.keyboard.press("End")
    expect(word).to_have_text("yours")
    page.keyboard.press("ArrowUp")
    expect(word).to_have_text("Ina Bo")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(word).to_have_text("sailor")
    card = page.get_by_role("dialog", name="About this word")
    expect(card).to_contain_text("The remote had drafted “friend”.")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(card.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card).to_be_hidden()
    expect(word).to_have_text("sailor")
    page.keyboard.press("Enter")
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Write again").and_(page.locator(":focus"))).to_be_visible()
    assert inside.locator("[tabindex='0'].w").count() == 1


# Words


def test_words_are_marked_by_what_was_done_to_them(page: Page) -> None:
    answer_with(page, MARKED)
    finish(page)
    words = column(page, 1).locator(".reply .w")
    found = words.evaluate_all("all => all.map((one) => [one.textContent, one.className])")
    assert found == [
        ["Dear", "w"],
        ["old", "w m1"],
        ["sailor", "w m3 changed"],
        ["of", "w held"],
        ["Ina Bo", "w filled"],
        [",", "w"],
        ["yours", "w m2"],
    ]
    styles = words.evaluate_all(
        """all => all.map((one) => {
          const { textDecorationLine, borderBottomStyle, outlineStyle } = getComputedStyle(one);
          return [textDecorationLine, borderBottomStyle, outlineStyle];
        })"""
    )
    assert styles[2:5] == [
        ["underline", "none", "none"],
        ["none", "dotted", "none"],
        ["none", "none", "solid"],
    ]


def test_marks_can_be_turned_off(page: Page) -> None:
    answer_with(page, MARKED)
    finish(page)
    inside = column(page, 1)
    if narrow(page):
        page.get_by_role("button", name="Marks").click()
    page.get_by_label("Marks on words").uncheck()
    expect(inside.locator(".changed")).to_have_css("text-decoration-line", "none")
    expect(inside.locator(".m2")).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    page.get_by_label("Marks on words").check()
    expect(inside.locator(".changed")).to_have_css("text-decoration-line", "underline")


def test_a_card_tells_of_a_word_and_never_leaves_the_window(page: Page) -> None:
    answer_with(page, MARKED)
    finish(page)
    inside = column(page, 1)
    card = page.get_by_role("dialog", name="About this word")
    for text, said in {
        "sailor": "The remote had drafted “friend”. Steering made it 7.4 times as likely.",
        "of": "Something guarded was held back here.",
        "Ina Bo": "Written in on this device. The remote has “[Your name]” in its place.",
        "Dear": "The remote drafted it too. Steering hardly moved it.",
    }.items():
        word = inside.locator(".w").get_by_text(text, exact=True)
        if narrow(page):
            word.tap()
        else:
            word.hover()
        expect(card).to_contain_text(said)
        expect(word).to_have_attribute("aria-describedby", "card-said")
        left, top, right, bottom = card.evaluate(
            "(one) => { const { left, top, right, bottom } = one.getBoundingClientRect();"
            "return [left, top, right, bottom]; }"
        )
        width, height = page.evaluate("[document.documentElement.clientWidth, innerHeight]")
        assert left >= 0
        assert top >= 0
        assert right <= width
        assert bottom <= height
        if narrow(page):
            card.get_by_role("button", name="Close").tap()
    if not narrow(page):
        page.get_by_label("Message").hover()
        expect(card).to_be_hidden()


def test_a_card_has_each_candidate_with_its_numbers(page: Page) -> None:
    answer_with(page, MARKED)
    finish(page)
    column(page, 1).locator(".w.changed").click()
    card = page.get_by_role("dialog", name="About this word")
    assert [" ".join(one.split()) for one in card.get_by_role("row").all_inner_texts()] == [
        "Candidate Remote Final With Without",
        "“friend” drafted 10.0 % 73.9 % 40.0 % <0.1 %",
        "“sailor” chosen from this device ≈ 10.0 % 73.9 % 40.0 % <0.1 %",
    ]
    page.mouse.move(5, 5)
    expect(card).to_be_visible()  # it was clicked, and so stays
    page.mouse.click(5, 5)
    expect(card).to_be_hidden()


def test_what_figures_are_is_explained_at_hand(page: Page) -> None:
    column(page, 0).get_by_role("button", name="What these figures are").click()
    explained = page.get_by_role("dialog", name="What the figures are")
    expect(explained).to_contain_text("one yes-or-no question is 0.69 nats")
    page.keyboard.press("Escape")
    expect(explained).to_be_hidden()


# Trouble


def test_a_refusal_is_told_in_its_column_and_can_be_tried_again(page: Page) -> None:
    error = {"message": "This proxy writes as many replies as it may.", "code": "rate_limit_exceeded"}
    body = {"error": {**error, "type": "requests", "param": None}}
    answer_with(page, refusal={"status": 429, "body": body, "headers": {"Retry-After": "5"}})
    send(page, "Hello")
    for number in range(2):
        trouble = column(page, number).get_by_role("alert")
        expect(trouble).to_contain_text(error["message"])
        expect(trouble).to_contain_text("in about 5 seconds")
    answer_with(page, MARKED)
    column(page, 1).get_by_role("button", name="Try again").click()
    expect(column(page, 1).locator(".reply")).to_have_text(re.compile("sailor"))
    expect(page.get_by_role("status")).to_have_text("The reply is finished.")
    expect(column(page, 0).get_by_role("alert")).to_be_visible()
    expect(column(page, 0).get_by_role("button", name="Write again")).to_be_hidden()
    assert len(asked(page)) == 1


@pytest.mark.parametrize("end", [[], [json.dumps({"error": {"message": "The connection broke."}})]])
def test_a_stream_that_breaks_off_keeps_what_is_there(page: Page, end: list[str]) -> None:
    answer_with(page, [chunk("Dear", [token("Dear")]), *end])
    send(page, "Hello")
    inside = column(page, 0)
    expect(inside.get_by_role("alert")).to_contain_text("broke")
    expect(inside.locator(".reply")).to_have_text("Dear")
    expect(inside.get_by_role("button", name="Try again")).to_be_visible()


def test_what_was_not_steered_says_why(page: Page) -> None:
    answer_with(page, reply(("A", token("A")), mishap="the budget is spent", unassisted=3))
    finish(page)
    expect(
        column(page, 1).get_by_text("3 of its tokens are not steered: the budget is spent.")
    ).to_be_visible()


def test_what_the_page_needs_first_can_be_asked_again(page: Page, server: Server) -> None:
    page.route("**/v1/models", lambda route: route.fulfill(status=503, json={"error": {"message": "Away."}}))
    page.reload()
    expect(page.get_by_role("alert").filter(has_text="could not ask the server")).to_contain_text("Away.")
    page.unroute("**/v1/models")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Message")).to_be_visible()


def test_a_real_reply_is_stopped_at_once(page: Page) -> None:
    setting(page, "Temperature", "0")  # drawn, a reply may be short
    send(page, "Write a story about a lighthouse keeper.")
    expect(page.locator(".reply .w").first).to_be_attached(timeout=60_000)
    page.keyboard.press("Escape")
    for number in range(2):
        expect(column(page, number).get_by_text("Stopped.")).to_be_visible()
    setting(page, "Length", "4")
    finish(page, "Thank you.")
    expect(page.get_by_role("alert").filter(has_text="reply")).to_have_count(0)


def test_a_real_refusal_is_told(page: Page) -> None:
    setting(page, "Length", "4")
    send(page, "word " * 9000)
    expect(column(page, 1).get_by_role("alert")).to_be_visible(timeout=60_000)


def test_what_a_model_writes_is_text_and_nothing_else(page: Page) -> None:
    words = [(HOSTILE, token(HOSTILE, nats=2.0, drafted="<b>bold</b>")), ("\u202egnihton", token("\u202e"))]
    answer_with(page, reply(*words))
    finish(page, HOSTILE)
    inside = column(page, 1)
    expect(inside.locator(".asked")).to_have_text(f"You: {HOSTILE}")
    expect(inside.locator(".w").first).to_have_text(HOSTILE)
    inside.locator(".w").first.click(position={"x": 10, "y": 10})
    expect(page.get_by_role("dialog", name="About this word")).to_contain_text("“<b>bold</b>”")
    assert page.locator("main :is(img, script, style, b)").count() == 0
    expect(page).to_have_title("Try · CoSteer")


def test_a_profiles_key_sees_that_profile_alone(server: Server, context: BrowserContext) -> None:
    secret = re.search(r"costeer-\S+", server.costeer("keys", "create", "--profile", "isabel"))
    assert secret is not None
    with watched(context.new_page(), server.url) as page:
        page.add_init_script(f"sessionStorage.setItem('costeer-key', {json.dumps(secret[0])})")
        page.goto(server.url)
        options = column(page, 1).get_by_label("Written for").locator("option")
        expect(options).to_have_text(["Nobody: the remote alone", re.compile("Isabel")])
        setting(page, "Length", "4")
        finish(page)
        expect(column(page, 0).locator(".reply")).to_have_text(re.compile(r"\w"))


# While it streams


def test_the_end_is_followed_until_the_reader_scrolls_up(page: Page) -> None:
    answer_with(page, LONG, pace=4)
    send(page, "Hello")
    inside = column(page, 0)
    turns = inside.locator(".turns")
    at_end = "one => one.scrollHeight - one.scrollTop - one.clientHeight < 40 && one.scrollTop > 0"
    expect(inside.locator(".w").nth(250)).to_be_attached()
    assert turns.evaluate(at_end)
    turns.hover()
    page.mouse.wheel(0, -500)
    page.wait_for_function(
        "one => one.scrollHeight - one.scrollTop - one.clientHeight > 100", arg=turns.element_handle()
    )
    stays = turns.evaluate("one => one.scrollTop")
    expect(page.get_by_role("status")).to_have_text(FINISHED, timeout=60_000)
    assert turns.evaluate("one => one.scrollTop") == pytest.approx(stays, abs=1)
    inside.get_by_role("button", name="To the end").click()
    expect(inside.get_by_role("button", name="To the end")).to_be_hidden()
    assert turns.evaluate(at_end)


def test_nothing_shifts_and_nothing_is_rewritten_while_text_streams(page: Page) -> None:
    expect(page.get_by_label("Message")).to_be_visible()
    answer_with(page, LONG, pace=4)
    page.evaluate(
        """() => {
          const kinds = { childList: true, characterData: true };
          window.seen = { shifts: 0, removed: 0, rewritten: 0, news: [] };
          new PerformanceObserver((list) => {
            const inNotes = ({ node }) => node?.closest?.(".notes");
            const own = (one) => !one.hadRecentInput && !one.sources.every(inNotes);
            for (const one of list.getEntries()) if (own(one)) window.seen.shifts += one.value;
          }).observe({ type: "layout-shift" });
          new MutationObserver((all) => {
            for (const { type, target, removedNodes } of all) {
              if (!target.parentElement?.closest(".reply")) continue;
              window.seen.removed += removedNodes.length;
              window.seen.rewritten += type === "characterData";
            }
          }).observe(document.querySelector(".columns"), { ...kinds, subtree: true });
          const status = document.querySelector("[role=status]");
          new MutationObserver(() => window.seen.news.push(status.textContent)).observe(status, kinds);
        }"""
    )
    finish(page)
    seen = page.evaluate("window.seen")
    assert (seen["removed"], seen["rewritten"]) == (0, 0)
    assert seen["shifts"] < 0.001
    assert [one for one in seen["news"] if one] == ["Two replies are finished."]


def test_a_reply_goes_on_while_another_view_is_looked_at(page: Page) -> None:
    answer_with(page, LONG, pace=8)
    send(page, "Hello")
    views = page.get_by_role("navigation", name="Views")
    views.get_by_role("link", name="State").click()
    expect(page.get_by_role("status")).to_have_text(FINISHED, timeout=60_000)
    views.get_by_role("link", name="Try").click()
    expect(column(page, 0).locator(".reply .w")).to_have_count(400)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_in_each_state(page: Page, scheme: str, accessible: Callable[[Page], None]) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.get_by_role("button", name="Add column").click()
    accessible(page)
    answer_with(page, MARKED, pace=0)
    send(page, "Hello")
    expect(page.locator(".reply .w")).to_have_count(3)
    accessible(page)
    page.evaluate("window.release()")
    expect(page.get_by_role("status")).to_have_text(FINISHED)
    accessible(page)
    inside = column(page, 1)
    accessible(page)
    inside.locator(".w.changed").click()
    accessible(page)
    page.keyboard.press("Escape")
    inside.get_by_role("button", name="What these figures are").click()
    accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Settings").click()
    accessible(page)


# What a reader is left with


@pytest.mark.parametrize("ending", ["stopped", "broken"])
def test_of_a_reply_that_does_not_end_it_is_said_that_what_left_is_not_known(page: Page, ending: str) -> None:
    if ending == "stopped":
        answer_with(page, MARKED, pace=0)
        send(page, "Hello")
        expect(page.locator(".reply .w")).to_have_count(2)
        page.get_by_role("button", name="Stop").click()
    else:
        answer_with(page, MARKED[:2])
        send(page, "Hello")
    steered = column(page, 1)
    expect(steered.get_by_text("for this one it is not known")).to_be_visible()
    expect(steered.get_by_role("button", name="What left")).to_be_hidden()


def test_news_that_columns_show_is_heard_and_does_not_cover_them(page: Page) -> None:
    answer_with(page, MARKED)
    finish(page)
    seen = page.get_by_role("status").bounding_box()
    assert seen is not None
    assert seen["width"] <= 1
    answer_with(page, MARKED, pace=0)
    send(page, "And now?")
    page.get_by_role("link", name="State").click()
    expect(page.get_by_role("heading", name="State", exact=True)).to_be_focused()
    page.evaluate("window.release()")
    expect(page.get_by_role("status")).to_have_text(FINISHED)
    seen = page.get_by_role("status").bounding_box()
    assert seen is not None
    assert seen["width"] > 100


def test_a_column_takes_the_card_of_its_word_with_it(page: Page) -> None:
    page.get_by_role("button", name="Add column").click()
    answer_with(page, MARKED)
    finish(page)
    last = column(page, 2)
    last.locator(".reply .w").first.focus()
    page.keyboard.press("Enter")
    card = page.get_by_role("dialog", name="About this word")
    expect(card).to_be_visible()
    last.get_by_role("button", name="Take this column away").press("Enter")
    expect(card).to_be_hidden()


def test_in_a_low_window_there_is_room_to_read_a_reply(
    page: Page, accessible: Callable[[Page], None]
) -> None:
    page.set_viewport_size({"width": 320, "height": 256})  # 1,280 by 1,024 at 400 %
    answer_with(page, MARKED)
    finish(page)
    accessible(page)
    text = column(page, 1).locator(".turns").bounding_box()
    assert text is not None
    assert text["height"] > 60
    page.get_by_label("Message").click()
    expect(page.get_by_label("Message")).to_be_in_viewport(ratio=1)


def test_a_view_that_is_made_anew_leaves_nothing_behind_that_listens(page: Page) -> None:
    expect(page.get_by_label("Message")).to_be_visible()
    session = page.context.new_cdp_session(page)

    def listening() -> list[str]:
        found = []
        for name in ("window", "document"):
            told = session.send("Runtime.evaluate", {"expression": name})
            by_id = {"objectId": told["result"]["objectId"]}
            found += [
                one["type"] for one in session.send("DOMDebugger.getEventListeners", by_id)["listeners"]
            ]
        return sorted(found)

    before = listening()
    answer_with(page, MARKED, pace=0)
    send(page, "Hello")
    expect(page.locator(".reply .w")).to_have_count(2)
    page.evaluate("import('/web/js/key.js').then(({ useKey }) => useKey(null))")
    expect(page.locator(".reply")).to_have_count(0)
    expect(page.get_by_label("Message")).to_be_visible()
    assert listening() == before
