"""The view State: what is ready and why not, what mends it, the last hour, and who may see which."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Position, Route, expect

from page.conftest import watched
from page.server import Server, serving

PARTS = ("Remote", "Tokens", "Small model", "Database")
AT = 1_800_000_000  # a full minute, in Unix seconds


def open_state(page: Page) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name="State").click()
    expect(page.get_by_role("heading", level=1, name="State")).to_be_visible()


def examined(page: Page) -> None:
    """Waits for an examination's end."""
    expect(page.get_by_role("button", name="Examine again")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ (in order|failed|could be better)"))).to_be_visible()


def line(page: Page, name: str, part: str = "Examination") -> Locator:
    """The line of something under a heading."""
    section = page.locator("section.card").filter(
        has=page.get_by_role("heading", level=2, name=part, exact=True)
    )
    return section.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True)).last


def minute(number: int, **changed: Any) -> dict[str, Any]:
    one = {
        **{"replies": 1, "steered": 1, "tokens": 10 * number, "kept": 9, "changed": 3, "drafted": 30},
        **{"acceptance": 0.75, "tokens_per_second": 12.5, "first_token": 0.25, "errors": 0},
    }
    return {"at": AT + 60 * number, **one, **changed}


NOTHING = {
    **{"replies": 0, "steered": 0, "tokens": 0, "kept": 0, "changed": 0, "drafted": 0},
    **{"acceptance": None, "tokens_per_second": None, "first_token": None},
}


def told(page: Page, data: list[dict[str, Any]], **total: Any) -> None:
    """Has the server tell these minutes, so that what is to be seen is known."""
    numbers = {"replies": 12, "steered": 9, "tokens": 1830, "acceptance": 0.8, "errors": 2, **total}
    answer = {"object": "activity", "data": data, "total": {**minute(0), **numbers}}
    page.route("**/v1/activity", lambda route: route.fulfill(json=answer))


def chart(page: Page, title: str) -> Locator:
    return page.get_by_role("figure").filter(has=page.get_by_role("heading", name=title, exact=True))


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose remote is not there: nobody listens on that port of this machine."""
    with serving(tmp_path_factory.mktemp("away"), remote_base_url="http://localhost:9/v1") as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str]]:
    """A server that asks for keys, with an admin key and a profile's."""
    with serving(tmp_path_factory.mktemp("guarded")) as server:
        server.costeer("profiles", "samples", "--import")
        keys = (server.costeer("keys", "create", *whose) for whose in (["--admin"], ["--profile", "isabel"]))
        admin, own = (re.search(r"costeer-\S+", said) for said in keys)
        assert admin is not None
        assert own is not None
        yield server, admin[0], own[0]


def test_what_is_ready_is_said_part_by_part(page: Page) -> None:
    open_state(page)
    for part in PARTS:
        expect(line(page, part, "Ready for replies")).to_contain_text("Ready")
    expect(page.get_by_text("Both models cut text into the same tokens.")).to_be_visible()
    expect(page.get_by_role("contentinfo").or_(page.locator("footer"))).to_contain_text(
        re.compile("CoSteer \\d")
    )
    expect(page.get_by_role("link", name="The API, to read and to try")).to_have_attribute("href", "/docs")


def test_findings_come_with_what_was_seen_and_can_be_asked_for_again(page: Page) -> None:
    open_state(page)
    examined(page)
    expect(line(page, "Database")).to_contain_text("schema")
    page.get_by_text("7 not looked at").click()
    expect(page.get_by_text("The remote is embedded").first).to_be_visible()
    count = page.get_by_role("listitem").count()
    page.get_by_role("button", name="Examine again").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Examined: nothing has failed.")
    assert page.get_by_role("listitem").count() == count


def test_a_remote_that_is_away_is_named_with_what_mends_it(
    context: BrowserContext, away: Server, accessible: Callable[[Page], None]
) -> None:
    with watched(context.new_page(), away.url) as page:
        page.goto(f"{away.url}/#state")
        remote = line(page, "Remote", "Ready for replies")
        expect(remote).to_contain_text("Not ready")
        expect(remote).to_contain_text("The remote does not answer.")
        expect(remote).to_contain_text("COSTEER_REMOTE_BASE_URL")
        expect(line(page, "Tokens", "Ready for replies")).not_to_contain_text("COSTEER_REMOTE_TOKENIZER")
        expect(line(page, "Database", "Ready for replies")).not_to_contain_text("Not ready")
        examined(page)
        expect(line(page, "Remote")).to_contain_text("Failed")
        expect(line(page, "Remote")).to_contain_text("http://localhost:9/v1")
        expect(line(page, "Remote")).to_contain_text("To mend it: Start the vLLM there")
        accessible(page)


@pytest.mark.parametrize("event", ["focus", "time"])
def test_the_state_is_asked_again_while_it_is_seen(page: Page, event: str) -> None:
    page.clock.install()
    open_state(page)
    expect(line(page, "Remote", "Ready for replies")).to_contain_text("Ready")
    down = {"ready": False, "reason": "The remote does not answer. (remote_unavailable)"}
    up = {"ready": True, "reason": None}
    parts = {"remote": down, "tokenizer": down, "local_model": up, "database": up}
    answer = {"status": "not ready", "parts": parts, "alignment": None, "proxy": None, "version": "0"}
    page.route("**/ready", lambda route: route.fulfill(status=503, json=answer))
    if event == "focus":
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    else:
        page.clock.run_for(6000)
    expect(line(page, "Remote", "Ready for replies")).to_contain_text("The remote does not answer.")
    expect(page.get_by_role("status")).to_have_text("State: not ready.")
    page.unroute("**/ready")
    page.clock.run_for(6000)
    expect(line(page, "Remote", "Ready for replies")).not_to_contain_text("Not ready")


def test_a_view_that_is_not_seen_asks_nothing(page: Page) -> None:
    page.clock.install()
    open_state(page)
    examined(page)
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Keys").click()
    expect(page.get_by_role("heading", level=1, name="Keys")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if url.endswith(("/ready", "/v1/activity"))] == []


def test_a_server_that_is_gone_is_said_once_and_forgiven(page: Page) -> None:
    page.clock.install()
    open_state(page)
    expect(line(page, "Remote", "Ready for replies")).to_contain_text("Ready")  # it asks again behind that
    page.route("**/ready", lambda route: route.abort())
    page.clock.run_for(6000)
    gone = page.get_by_role("alert").filter(has_text="The server's state is not known")
    expect(gone).to_contain_text("See whether `costeer serve` still runs")
    retry = gone.get_by_role("button", name="Try again")
    retry.focus()
    page.clock.run_for(6000)
    expect(retry).to_be_focused()  # it is the same one: nothing is said, or taken away, a second time
    page.unroute("**/ready")
    page.keyboard.press("Enter")
    expect(line(page, "Remote", "Ready for replies")).to_contain_text("Ready")


def test_an_examination_can_be_stopped(page: Page) -> None:
    waiting: list[Route] = []
    page.route("**/v1/doctor*", lambda route: waiting.append(route))  # noqa: PLW0108  # it is inspected
    open_state(page)
    expect(page.get_by_role("progressbar")).to_be_visible()
    stop = page.get_by_role("button", name="Stop")
    assert page.evaluate("document.getAnimations().length") == 0
    stop.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Examine again")).to_be_focused()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.unroute("**/v1/doctor*")
    page.keyboard.press("Enter")
    examined(page)


def test_an_examination_that_breaks_off_keeps_what_it_found(page: Page) -> None:
    finding = {"object": "doctor.finding", "name": "disk", "state": "ok", "seen": "Room enough", "mend": ""}
    events = f"data: {json.dumps(finding)}\n\n"
    page.route("**/v1/doctor*", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    open_state(page)
    expect(line(page, "Room on the disk")).to_contain_text("Room enough")
    broken = page.get_by_role("alert").filter(has_text="broke off")
    page.unroute("**/v1/doctor*")
    broken.get_by_role("button", name="Try again").click()
    examined(page)
    expect(broken).to_be_hidden()


def test_what_is_wrong_leads_and_what_is_hostile_stays_text(
    page: Page, accessible: Callable[[Page], None]
) -> None:
    evil = '<img src=x onerror="window.hacked=1"><style>*{display:none}</style>'
    findings = [
        {"name": "disk", "state": "ok", "seen": evil, "mend": ""},
        {"name": evil, "state": "warning", "seen": f"/home/{evil}", "mend": evil},
        {"name": "database", "state": "failed", "seen": "locked", "mend": "costeer restore backup.db"},
        {"name": "remote", "state": "skipped", "seen": "spared", "mend": "costeer doctor"},
    ]
    lines = [{"object": "doctor.finding", **one} for one in findings]
    whole = {"object": "doctor", "ok": False, "findings": findings}
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in (*lines, whole)) + "data: [DONE]\n\n"
    page.route("**/v1/doctor*", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    open_state(page)
    expect(page.get_by_text("1 failed, 1 could be better, 1 in order.", exact=True)).to_be_visible()
    items = page.locator(".examination").get_by_role("listitem")
    assert [one.split("\n")[0] for one in items.all_inner_texts()][:2] == ["Could be better", "Failed"]
    expect(page.get_by_text(f"/home/{evil}")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    expect(line(page, "Database").get_by_role("button", name="Copy")).to_be_visible()
    accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_last_hour_is_drawn(page: Page, scheme: str, accessible: Callable[[Page], None]) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    told(page, [minute(number) for number in range(60)])
    open_state(page)
    examined(page)
    expect(
        page.get_by_text("12 replies, 9 of them steered; 1,830 tokens; 2 requests failed.")
    ).to_be_visible()
    expect(chart(page, "Tokens").locator(".told")).to_have_text("1,830 tokens in the last hour")
    expect(chart(page, "Kept").locator(".told")).to_have_text("80% in the last hour")
    expect(chart(page, "Speed").locator(".told")).to_have_text("12.5 tokens/s on average in the last hour")
    expect(chart(page, "First token").locator(".told")).to_have_text("250 ms or less for half of the replies")
    picture = chart(page, "Tokens").get_by_role("img")
    heights = [bar.bounding_box() for bar in picture.locator(".bar").all()]
    whole = picture.bounding_box()
    assert whole is not None
    assert [round(bar["height"] / whole["height"], 2) for bar in heights if bar][-2:] == [0.58, 0.59]
    expect(picture).to_have_accessible_name(re.compile("Tokens, a bar for each minute.*1,830 tokens"))
    for summary in page.get_by_text("Show numbers").all():
        summary.click()
    expect(page.get_by_role("table")).to_have_count(4)
    accessible(page)


def test_a_chart_is_walked_by_keys(page: Page) -> None:
    told(page, [minute(number) for number in range(60)])
    open_state(page)
    slider = page.get_by_role("slider", name="Tokens, by the minute")
    slider.focus()
    value = chart(page, "Tokens").locator(".told")
    expect(value).to_contain_text("590 tokens at")
    page.keyboard.press("ArrowLeft")
    expect(value).to_contain_text("580 tokens at")
    assert "580 tokens" in str(slider.get_attribute("aria-valuetext"))
    page.keyboard.press("Home")
    expect(value).to_contain_text("0 tokens at")
    page.keyboard.press("Tab")
    expect(value).to_have_text("1,830 tokens in the last hour")


def test_a_chart_is_hovered_or_tapped(page: Page, size: tuple[int, int]) -> None:
    told(page, [minute(number) for number in range(60)])
    open_state(page)
    slider = page.get_by_role("slider", name="Tokens, by the minute")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    where: Position = {"x": box["width"] * 30.5 / 60, "y": box["height"] / 2}
    value = chart(page, "Tokens").locator(".told")
    if size[0] < 600:
        slider.tap(position=where)
        expect(value).to_contain_text(re.compile("(290|300|310) tokens at"))
        return
    slider.hover(position=where)
    expect(value).to_contain_text("300 tokens at")
    page.mouse.move(0, 0)
    expect(value).to_have_text("1,830 tokens in the last hour")


def test_numbers_are_a_table_without_empty_minutes(page: Page) -> None:
    told(page, [minute(1), minute(2, **NOTHING), minute(3)])
    open_state(page)
    chart(page, "Tokens").get_by_text("Show numbers").press("Enter")
    table = chart(page, "Tokens").get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row").nth(1)).to_contain_text("30 tokens")
    expect(table.get_by_role("row").nth(2)).to_contain_text("10 tokens")


def test_a_minute_before_the_start_is_said_to_be_so(page: Page) -> None:
    told(page, [minute(1), minute(2)])
    open_state(page)
    page.get_by_role("slider", name="Kept, by the minute").focus()
    page.keyboard.press("Home")
    expect(chart(page, "Kept").locator(".told")).to_have_text("Nothing before the server started")


def test_an_hour_without_replies_has_no_charts(page: Page, accessible: Callable[[Page], None]) -> None:
    told(page, [minute(1, **NOTHING)], **NOTHING, errors=0)
    open_state(page)
    expect(page.get_by_text("No reply was written in the last hour.")).to_be_visible()
    expect(page.get_by_role("figure")).to_have_count(0)
    accessible(page)


def test_a_reply_is_seen_in_the_next_look(page: Page, server: Server) -> None:
    page.clock.install()
    open_state(page)
    expect(page.get_by_text("in the last hour").first).to_be_visible()  # it looks again behind that
    before = server.api("GET", "/v1/activity")["total"]["replies"]
    message = {"role": "user", "content": "Say hello."}
    server.api(
        "POST",
        "/v1/chat/completions",
        {"model": "default@isabel", "max_tokens": 4, "messages": [message]},
    )
    page.clock.run_for(20_000)
    words = "1 reply," if before == 0 else f"{before + 1} replies,"
    expect(page.get_by_text(words)).to_be_visible()
    expect(chart(page, "Tokens").locator(".told")).to_contain_text("in the last hour")


def use_key(page: Page, key: str) -> None:
    page.get_by_role("dialog", name="API key").get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")


def test_a_profile_s_key_sees_what_is_ready_and_why_no_more(
    context: BrowserContext, guarded: tuple[Server, str, str], accessible: Callable[[Page], None]
) -> None:
    server, _, own = guarded
    with watched(context.new_page(), server.url) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/#state")
        use_key(page, own)
        expect(page.get_by_text("This tab's key opens one profile only")).to_be_visible()
        expect(line(page, "Remote", "Ready for replies")).to_contain_text("Ready")
        expect(page.get_by_role("heading", level=2)).to_have_count(1)
        assert not [url for url in asked if "doctor" in url or "activity" in url]
        accessible(page)


def test_with_an_admin_key_all_is_seen_and_without_one_a_key_is_asked_for(
    context: BrowserContext, guarded: tuple[Server, str, str]
) -> None:
    server, admin, _ = guarded
    with watched(context.new_page(), server.url) as page:
        page.goto(f"{server.url}/#state")
        expect(line(page, "Remote", "Ready for replies")).to_contain_text("Ready")
        page.get_by_role("dialog", name="API key").get_by_role("button", name="Cancel").click()
        page.get_by_role("main").get_by_role("button", name="Use a key").click()
        use_key(page, admin)
        examined(page)
        expect(page.get_by_role("heading", level=2, name="Last hour")).to_be_visible()


def test_all_of_it_is_reached_by_keys(page: Page) -> None:
    told(page, [minute(number) for number in range(60)])
    open_state(page)
    examined(page)
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name = "(e => e.getAttribute('aria-label') ?? e.textContent)(document.activeElement)"
        reached.append(str(page.evaluate(name)))
        if reached[-1].startswith("The API"):
            break
    for title in ("Tokens", "Kept", "Speed", "First token"):
        assert f"{title}, by the minute" in reached
        assert f"Show numbers of {title}" in reached
    assert "Examine again" in reached
    assert reached[-1] == "The API, to read and to try"


@pytest.mark.parametrize("width", [360, 2560])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    told(page, [minute(number, tokens=10**9) for number in range(60)], tokens=10**12)
    open_state(page)
    examined(page)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
