"""What left: every request of a reply, what stayed, and whether private phrases are among it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from page.server import Server
from page.test_try import column, finish, setting

QUESTION = "Write two sentences about my garden in Basel."
REQUEST: dict[str, Any] = {
    "model": "default",
    "profile": "isabel",
    "strength": 2,
    "temperature": 0,
    "max_tokens": 24,
    "messages": [{"role": "user", "content": QUESTION}],
    "costeer": {"detail": True, "sent": True},
}
SHOW = """async ({ costeer, request, reply }) => {
  const { whatLeft } = await import("/web/js/views/left.js");
  const { h } = await import("/web/js/dom.js");
  document.querySelector("main").replaceChildren(h(
    "div",
    { class: "view" },
    h("h1", {}, "Try"),
    h("h2", {}, "What left"),
    whatLeft(costeer, { request, reply }),
  ));
}"""
PROMPT = "<|im_start|>user\nHello, I am Isabel Martinez.<|im_end|>\n<|im_start|>assistant\n"
SAMPLING = {"model": "m", "max_tokens": 64, "logprobs": 20, "temperature": 0.7, "top_p": 0.9, "seed": 7}
HOSTILE = (
    '<img src=x onerror="window.broken = 1"><script>window.broken = 2</script><style>*{color:red}</style>'
)


def draft(text: str, after: int | None, shared: int, **more: Any) -> dict[str, Any]:
    """An entry of `sent`, of a draft; a token is a character."""
    entry = {"method": "POST", "endpoint": "/v1/completions", "embedded": False, "body": SAMPLING}
    return {**entry, "tokens": shared + len(text), "after": after, "shared": shared, "text": text, **more}


def drafts(*texts: str) -> list[dict[str, Any]]:
    """Drafts that go on from one another."""
    made: list[dict[str, Any]] = []
    for index, text in enumerate(texts):
        shared = made[-1]["tokens"] if made else 0
        made.append(draft(text, index - 1 if made else None, shared))
    return made


def costeer(sent: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    told = {"nats": 3.21, "held": 0, "filled": 0, "said": 2}
    return {"steered": True, "strength": "auto", "disclosed": told, "sent": sent, **more}


def show(page: Page, totals: dict[str, Any], *, reply: str = "", **request: Any) -> Locator:
    page.evaluate(SHOW, {"costeer": totals, "request": {**REQUEST, **request}, "reply": reply})
    expect(page.get_by_text("Looking at the profile")).to_have_count(0)
    return page.get_by_role("main")


def verdict(left: Locator, phrase: str) -> Locator:
    """The cell that says whether a phrase left."""
    name = left.page.locator(".phrase").get_by_text(phrase, exact=True)
    return left.get_by_role("row").filter(has=name).get_by_role("cell").last


@pytest.fixture(scope="module")
def answered(server: Server) -> dict[str, Any]:
    answer: dict[str, Any] = server.api("POST", "/v1/chat/completions", REQUEST)
    return answer


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reply_of_the_embedded_model_says_that_nothing_left(
    page: Page, answered: dict[str, Any], scheme: str, accessible: Callable[[Page], None]
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sent = answered["costeer"]["sent"]
    text = answered["choices"][0]["message"]["content"]
    left = show(page, answered["costeer"], reply=text)
    expect(left.get_by_text("Nothing left the device")).to_contain_text(f"{len(sent)} request")
    whole = "".join(one["text"] for one in sent)
    expect(left.get_by_role("group", name="The text, put together")).to_have_text(whole, use_inner_text=True)
    expect(left.get_by_text("Make one joke at most.")).to_be_visible()
    expect(left.get_by_text("occupation, location, writing_style")).to_be_visible()
    if len(sent) > 5:  # as many as there are words that steering changed
        left.get_by_text("one by one").click()
        left.get_by_text("1.", exact=True).click()
    expect(left.get_by_role("group", name="Text of request 1")).to_have_text(
        sent[0]["text"], use_inner_text=True
    )
    accessible(page)


def test_each_request_sets_what_is_new_apart_from_what_the_remote_had(page: Page) -> None:
    left = show(page, costeer(drafts(PROMPT, "One", " two", " three")))
    expect(left.get_by_text("For this reply 4 requests left the device.")).to_be_visible()
    first = left.get_by_role("group", name="Text of request 1")
    expect(first).to_have_text(PROMPT, use_inner_text=True)
    expect(first.locator(".special")).to_have_text(["<|im_start|>", "<|im_end|>", "<|im_start|>"])
    third = left.get_by_role("group", name="Text of request 3")
    expect(third.locator(".had")).to_have_text(f"{PROMPT}One", use_inner_text=True)
    expect(third.locator("ins")).to_contain_text(" two")
    words = "At most 64 tokens, the 20 likeliest candidates of each. Temperature 0.7, top p 0.9, seed 7."
    expect(left.get_by_text(words)).to_have_count(4)
    left.get_by_text("All fields").first.click()
    expect(left.get_by_role("group", name="Fields of request 1")).to_contain_text('"logprobs": 20')


def test_requests_with_texts_are_shown_as_they_are(page: Page) -> None:
    tokenize = {"method": "POST", "endpoint": "/tokenize", "embedded": False}
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello there."}]}
    listed = {"method": "GET", "endpoint": "/v1/models", "embedded": False, "body": None}
    over = {**tokenize, "endpoint": "/v1/chat/completions", "body": {**body, "tools": [{}, {}]}}
    left = show(page, costeer([listed, {**tokenize, "body": body}, *drafts(PROMPT), over]))
    expect(left.locator(".requests .what")).to_have_text(
        ["List of models", "Tokens of the conversation", "Draft", "Go on by itself"]
    )
    expect(left.get_by_role("group", name="Fields of request 2")).to_contain_text('"content": "Hello there."')
    expect(left.get_by_text("POST /v1/chat/completions 2 tools.")).to_be_visible()


def test_many_requests_are_closed_and_can_be_searched(page: Page) -> None:
    left = show(page, costeer(drafts(PROMPT, *(f" word{number}" for number in range(9)))))
    requests = left.get_by_role("listitem").filter(has_text="Draft")
    expect(requests.first).to_be_hidden()
    # It begins in one request and ends in the next.
    page.get_by_label("Search in the requests").fill("RD4 WO")
    expect(left.get_by_text("In 1 of 10 requests.")).to_be_visible()
    expect(requests.filter(visible=True)).to_have_count(1)
    expect(left.get_by_role("group", name="Text of request 7")).to_be_visible()
    page.get_by_label("Search in the requests").fill("word")
    expect(left.get_by_text("In 9 of 10 requests.")).to_be_visible()
    expect(left.get_by_role("group", name="Text of request 3").locator("ins mark")).to_have_text(["word"])
    page.get_by_label("Search in the requests").fill("")
    expect(requests.filter(visible=True)).to_have_count(10)
    expect(left.locator("mark")).to_have_count(0)


def test_what_stood_in_front_is_shown_on_demand(page: Page) -> None:
    left = show(page, costeer(drafts("A long beginning. " * 40, "new")))
    box = left.get_by_role("group", name="Text of request 2")
    expect(box.locator(".had")).to_have_text(f"… beginning. {'A long beginning. ' * 8}")
    page.get_by_role("button", name="Show the 720 tokens in front of it").click()
    expect(box).to_be_focused()
    expect(box.locator(".had")).to_have_text("A long beginning. " * 40)
    expect(box.locator("ins")).to_contain_text("new")


def test_each_private_phrase_is_looked_for(page: Page) -> None:
    """What the person wrote, what a reply said, what the remote drafted, and what did not leave."""
    earlier = "You sail badly on Thursdays, in ENGLISH, Spanish"
    messages = [
        {"role": "user", "content": "Hello, I am ISABEL\nMartínez."},
        {"role": "assistant", "content": earlier},
        {"role": "user", "content": "Again."},
    ]
    prompt = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in messages)
    left = show(
        page,
        costeer(drafts(prompt, "Grow heirloom tomatoes. Your email to", " a hesitant buyer was fine")),
        messages=messages,
        reply="Grow heirloom tomatoes. Isabella!",
    )
    expect(
        left.get_by_text("6 of 13 private phrases are in what left, 3 of them because you wrote it yourself.")
    ).to_be_visible()
    expect(verdict(left, "Isabel Martinez")).to_have_text(
        "In what left. You wrote it yourself in the conversation."
    )
    expect(verdict(left, "English, Spanish")).to_contain_text("An earlier reply of the conversation has it.")
    interests = "Mid-century architecture, salsa on Thursdays, sailing badly, heirloom tomatoes"
    expect(verdict(left, interests)).to_contain_text(
        "Of it, “heirloom tomatoes”: The reply said it: its level is open."
    )
    expect(verdict(left, "Email to a hesitant buyer")).to_contain_text("the remote's own draft")
    expect(verdict(left, "Warmly, Isabel")).to_contain_text("Of it, “Isabel”: You wrote it yourself")
    expect(verdict(left, "Listing for a waterfront house")).to_have_text("Not in what left")


def test_what_the_reply_says_at_a_guarded_level_is_the_remote_s_choice(page: Page) -> None:
    left = show(
        page,
        costeer(drafts(PROMPT[:17] + "Hi", "Warmly, Isabel")),
        messages=[{"role": "user", "content": "Hi"}],
        reply="Warmly, Isabel",
    )
    expect(verdict(left, "Isabel")).to_contain_text("by the remote's own choice: at fill")


def test_at_strength_0_nothing_was_read(page: Page) -> None:
    left = show(page, costeer(drafts(PROMPT, "Hi"), steered=False, strength=0), strength=0)
    expect(left.get_by_text("Nothing steered this reply")).to_be_visible()
    expect(left.get_by_text("Nothing: at this strength it was not asked.")).to_be_visible()


def test_penalties_that_stayed_are_named(page: Page) -> None:
    left = show(page, costeer(drafts(PROMPT, "Hi")), presence_penalty=0.5, logit_bias={"5": 1})
    expect(left.get_by_text("presence penalty, logit bias: applied on the device")).to_be_visible()


def test_markup_in_texts_stays_text(page: Page) -> None:
    sent = [
        {"method": "POST", "endpoint": "/tokenize", "embedded": False, "body": {"prompt": HOSTILE}},
        draft(HOSTILE, None, 0),
        draft(f"\u202e{HOSTILE}", 1, len(HOSTILE)),
    ]
    left = show(
        page, costeer(sent, strength=HOSTILE), reply=HOSTILE, messages=[{"role": "user", "content": HOSTILE}]
    )
    expect(left.get_by_role("group", name="Text of request 2")).to_have_text(HOSTILE)
    page.get_by_label("Search in the requests").fill("<img")
    expect(left.locator(".requests mark").first).to_have_text("<img")
    assert page.evaluate("window.broken") is None
    assert left.locator("img, script, style").count() == 0


def test_a_reply_without_notes_says_so(page: Page) -> None:
    for totals in (None, {"steered": True}):
        page.evaluate(SHOW, {"costeer": totals, "request": REQUEST, "reply": ""})
        expect(page.get_by_text("What this reply sent was not noted")).to_be_visible()


def test_a_profile_that_is_gone_can_be_tried_again(page: Page) -> None:
    page.evaluate(
        SHOW, {"costeer": costeer(drafts(PROMPT)), "request": {**REQUEST, "profile": "gone"}, "reply": ""}
    )
    expect(page.get_by_role("alert").get_by_text("What stayed cannot be shown")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("What stayed cannot be shown")).to_be_visible()
    expect(page.get_by_role("group", name="The text, put together")).to_be_visible()


def test_the_default_profile_is_that_of_a_request_without_one(page: Page) -> None:
    left = show(page, costeer(drafts(PROMPT)), profile=None)
    expect(left.get_by_text("No profile was read for this reply")).to_be_visible()


def test_requests_are_copied_as_they_came(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    sent = drafts(PROMPT, "Hi")
    left = show(page, costeer(sent))
    left.get_by_role("button", name="Copy as JSON").click()
    expect(page.get_by_role("status").get_by_text("Requests copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText().then(JSON.parse)") == sent


def test_all_of_it_is_done_by_keys(page: Page) -> None:
    show(page, costeer(drafts(PROMPT, *(f" word{number}" for number in range(9)))))
    page.get_by_role("group", name="The text, put together").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_text("10 requests, one by one")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Text of request 1")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("group", name="Text of request 1")).to_be_focused()


def test_a_long_reply_is_shown_whole(page: Page, accessible: Callable[[Page], None]) -> None:
    """2,000 tokens, a request for every other one, and a prompt of 30,000 characters."""
    texts = ["A long conversation. " * 1500, *(f" w{number}" for number in range(1000))]
    left = show(page, costeer(drafts(*texts)))
    expect(left.get_by_role("group", name="The text, put together")).to_have_text("".join(texts))
    left.get_by_text("1,001 requests, one by one").click()
    page.get_by_label("Search in the requests").fill("w999")
    expect(left.get_by_text("In 1 of 1,001 requests.")).to_be_visible()
    expect(left.get_by_role("group", name="Text of request 1001")).to_be_visible()
    accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_below_a_reply_by_keys(page: Page, scheme: str, accessible: Callable[[Page], None]) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    setting(page, "Length", "8")
    finish(page, QUESTION)
    button = column(page, 1).get_by_role("button", name="What left")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="What left")
    expect(dialog.get_by_text("Nothing left the device")).to_be_focused()  # so it begins at the beginning
    expect(dialog.get_by_text("Does any private phrase stand in it")).to_be_visible()
    expect(dialog.get_by_role("group", name="The text, put together")).to_contain_text(QUESTION)
    accessible(page)
    assert dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
