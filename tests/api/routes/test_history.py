"""/v1/profiles/{id}/history: added in each form, paged, searched, corrected and erased; all or nothing."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Proxy

from api.routes.test_chat import error_of
from api.routes.test_profiles import SYNTAX, refused, stored
from app.local.engine.owner import Owner
from app.profiles.history_file import read_history

LOUD = "/v1/profiles/loud/history"
EMPTY = "/v1/profiles/joined/history"
LINES = ["application/jsonl", "application/x-ndjson"]
TEXTS = ["text/plain", "text/markdown"]


async def add(proxy: Proxy, content: bytes | str, kind: str, query: str = "") -> httpx.Response:
    headers = {"Content-Type": kind}
    return await proxy.client.post(f"{EMPTY}{query}", content=content, headers=headers)


async def add_json(proxy: Proxy, body: object) -> httpx.Response:
    return await add(proxy, json.dumps(body), "application/json")


async def listed(proxy: Proxy, query: str = "") -> list[dict[str, Any]]:
    response = await proxy.client.get(f"{EMPTY}?order=asc&limit=100&{query}")
    items: list[dict[str, Any]] = response.json()["data"]
    return items


async def texts(proxy: Proxy) -> list[str]:
    return [item["text"] for item in await listed(proxy)]


async def found(proxy: Proxy, q: str, path: str = EMPTY) -> list[str]:
    response = await proxy.client.get(f"{path}/search", params={"q": q})
    assert response.status_code == 200, response.text
    return [item["text"] for item in response.json()["data"]]


# Adding


async def test_one_item_is_added_and_answered_by_its_id(proxy: Proxy) -> None:
    item = {"text": "a\r\nb ü", "title": "T", "kind": "turn", "request": "Soup?", "source": "mail"}
    item |= {"disclosure": "shape"}
    response = await add_json(proxy, {**item, "created_at": "2026-01-31T13:00:00+01:00"})
    assert response.status_code == 201
    created = {"id": "item_2", "object": "profile.history_item.created", "created_at": "2026-01-31T12:00:00Z"}
    ends = {"first_id": "item_2", "last_id": "item_2", "has_more": False}
    assert response.json() == {"object": "list", "data": [created], **ends}
    whole = {**item, "id": "item_2", "object": "profile.history_item", "created_at": "2026-01-31T12:00:00Z"}
    assert (await proxy.client.get(f"{EMPTY}/item_2")).json() == whole
    assert await listed(proxy) == [whole]


async def test_many_items_are_added_in_order(proxy: Proxy) -> None:
    response = await add_json(proxy, [{"text": f"text {n}"} for n in range(50)])
    ids = [one["id"] for one in response.json()["data"]]
    assert ids == [f"item_{n}" for n in range(2, 52)]
    assert await texts(proxy) == [f"text {n}" for n in range(50)]


@pytest.mark.parametrize("kind", LINES)
async def test_lines_are_items_and_blank_lines_are_none(proxy: Proxy, kind: str) -> None:
    body = '\ufeff{"text": "a"}\r\n\n  \t\n{"text": "b\u2028c", "title": "T"}\n{"text": "d"}'
    assert len((await add(proxy, body.encode(), kind)).json()["data"]) == 3
    assert await texts(proxy) == ["a", "b\u2028c", "d"]


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_text_is_one_item_as_it_stands(proxy: Proxy, kind: str) -> None:
    text = '# Title\n\n{"text": "x"}\n\n'
    await add(proxy, text, f"{kind}; charset=UTF-8", "?title=A%20%26%20B&source=notes.md")
    (item,) = await listed(proxy)
    assert (item["text"], item["title"], item["source"]) == (text, "A & B", "notes.md")
    assert item["kind"] == "document"


async def test_a_turn_as_earlier_versions_exported_it_is_taken_apart(proxy: Proxy) -> None:
    old = {"text": "User: Soup?\n\nAssistant: Soup.", "title": "", "kind": "turn", "source": "chat"}
    await add_json(proxy, old)
    await add(proxy, json.dumps(old), LINES[0])
    await add_json(proxy, {**old, "text": "Soup?"})
    assert [(item["request"], item["text"]) for item in await listed(proxy)] == [
        ("Soup?", "Soup."),
        ("Soup?", "Soup."),
        ("", "Soup?"),
    ]


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_text_says_what_it_answers(proxy: Proxy, kind: str) -> None:
    await add(proxy, "Dear all", kind, "?request=Write%20a%20toast.")
    (item,) = await listed(proxy)
    assert (item["request"], item["title"], item["text"]) == ("Write a toast.", "", "Dear all")
    assert await found(proxy, "toasts") == ["Dear all"]


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_text_has_the_level_of_the_query(proxy: Proxy, kind: str) -> None:
    await add(proxy, "One", kind, "?disclosure=off")
    await add(proxy, "Two", kind)
    assert [item["disclosure"] for item in await listed(proxy)] == ["off", "open"]
    response = await add(proxy, "Three", kind, "?disclosure=shut")
    refused(response, "disclosure", "disclosure must be open, shape, fill or off.")
    response = await add(proxy, '{"text": "x"}', "application/json", "?disclosure=off")
    refused(response, "disclosure", "in JSON each item has its own")


async def test_a_level_is_corrected_and_what_was_computed_before_is_not_used_after(proxy: Proxy) -> None:
    owner = Owner.of(proxy.store.profiles.get("loud"))
    corrected = await proxy.client.patch(f"{LOUD}/item_1", json={"disclosure": "fill"})
    assert (corrected.status_code, corrected.json()["disclosure"]) == (200, "fill")
    assert Owner.of(proxy.store.profiles.get("loud")) != owner
    wrong = await proxy.client.patch(f"{LOUD}/item_1", json={"disclosure": None})
    refused(wrong, "disclosure", "must be open, shape, fill or off")


@pytest.mark.parametrize(
    ("kind", "query", "title"),
    [
        ("text/markdown", "", "A day"),
        ("text/markdown", "?source=a.md", "A day"),
        ("text/markdown", "?title=Mine", "Mine"),
        ("text/markdown", "?title=", ""),
        ("text/plain", "", ""),
    ],
)
async def test_a_markdown_text_has_its_own_title(proxy: Proxy, kind: str, query: str, title: str) -> None:
    text = "---\r\ntitle: A day\r\n---\r\n# Heading\r\n"
    await add(proxy, text, kind, query)
    assert [item["title"] for item in await listed(proxy)] == [title]
    await add(proxy, f"# {'x' * 2000}", "text/markdown")
    assert (await listed(proxy))[-1]["title"] == "x" * 1000


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_text_is_stored_as_the_command_line_stores_it(
    proxy: Proxy, kind: str, tmp_path: Path
) -> None:
    data = b"\xef\xbb\xbfone\r\ntwo\rthree\n"
    await add(proxy, data, kind)
    (tmp_path / "a.txt").write_bytes(data)
    (item,) = read_history([str(tmp_path / "a.txt")], io.BytesIO())
    assert await texts(proxy) == [item.text] == ["one\ntwo\nthree\n"]


async def test_line_ends_that_json_escapes_stay(proxy: Proxy) -> None:
    await add(proxy, b'{"text": "a\\r\\nb\\rc"}\r{"text": "d"}', "application/jsonl")
    assert await texts(proxy) == ["a\r\nb\rc", "d"]


async def test_what_is_added_is_found_and_steers_at_once(proxy: Proxy) -> None:
    proxy.store.profiles.update("joined", lambda profile: type(profile)(id="joined", name="Jo"))
    assert await proxy.text(profile="joined") == "hello world"
    await add_json(proxy, {"text": "hello LOUD"})
    assert await found(proxy, "hello") == ["hello LOUD"]
    assert await proxy.text(profile="joined") == "HELLO WORLD"


BAD: list[tuple[str, bytes | str, str | None, str]] = [
    ("application/json", '{"text": ""}', "text", "text must not be blank."),
    ("application/json", '{"text": "a\\u0000"}', "text", "text holds a NUL character; remove it."),
    ("application/json", '{"text": "\\ud800"}', "text", "lone surrogate"),
    ("application/json", '{"txt": "a", "text": "b"}', "txt", "not supported"),
    ("application/json", '{"text": "a", "text": "b"}', None, "same key twice"),
    ("application/json", '{"text": "a", "kind": "letter"}', "kind", "'document' or 'turn'"),
    ("application/json", '{"text": "a", "created_at": "2026-01-31T09:30:00"}', "created_at", "with its zone"),
    ("application/json", '{"text": "a", "title": "' + "x" * 1001 + '"}', "title", "at most 1000 characters"),
    ("application/json", '[{"text": "a"}, {"text": 5}]', "[1].text", "[1].text must be a string."),
    ("application/json", '[{"text": "a"}, "b"]', "[1]", "[1] must be an object."),
    ("application/json", '[{"text": "a"}, [{"text": "a"}]]', "[1]", "must be an object"),
    ("application/json", '[{"text": "a"},\n{"text": "b"', None, "line 2"),
    ("application/json", '{"text": "a"}\n{"text": "b"}', None, "line 2, column 1"),
    ("application/json", "[]", None, "no item"),
    ("application/json", '"text"', None, "must be an object"),
    ("application/json", "5" * 5000, None, "thousands of digits"),
    ("application/json", "[" * 100_000, None, "nested too deeply"),
    ("application/json", "", None, "is empty"),
    ("application/json", b'[{"text": "a"},\n{"text": "\xff"}]', "line 2", "Line 2 of the body is not UTF-8"),
    (
        "application/jsonl",
        '{"text": "a"}\n\n{"text": " "}',
        "line 3, text",
        "Line 3: text must not be blank.",
    ),
    ("application/jsonl", '{"text": "a"}\n{"text": "b"', "line 2", "Line 2 is not valid JSON"),
    ("application/jsonl", '[{"text": "a"}]', "line 1", "Line 1: it must be an object."),
    ("application/jsonl", '{"text": "a"}\n{"text": "b", "x": 1}', "line 2, x", "x is not supported"),
    ("application/jsonl", '{"text": "a"}\n{"text": "b", "text": "c"}', "line 2", "same key twice"),
    ("application/jsonl", b'{"text": "a"}\n{"text": "\xc3\x28"}', "line 2", "not UTF-8"),
    ("application/jsonl", "\n \n", None, "is empty"),
    ("application/jsonl", b"\xef\xbb\xbf\n", None, "no item"),
    ("application/jsonl", '{"text": "a"}\x00\n', "line 1", "not valid JSON"),
    ("text/plain", "", None, "is empty"),
    ("text/plain", " \n\u3000", "text", "blank"),
    ("text/plain", "a\0b", "text", "NUL"),
    ("text/plain", b"a\nb\n\xe9t\xe9", "line 3", "Line 3 of the body is not UTF-8"),
    ("text/markdown", "x" * 1_000_001, "text", "at most 1000000 characters"),
]


@pytest.mark.parametrize(
    ("kind", "body", "param", "says"), BAD, ids=[f"{c[0]} {ascii(c[1])[:40]}" for c in BAD]
)
async def test_a_bad_upload_is_refused_by_place_and_stores_nothing(
    proxy: Proxy, kind: str, body: bytes | str, param: str | None, says: str
) -> None:
    before = stored(proxy)
    refused(await add(proxy, body, kind), param, says)
    assert stored(proxy) == before


async def test_several_lines_are_named_at_once(proxy: Proxy) -> None:
    lines = ['{"text": ""}', "oops", '{"text": "a"}', '{"text": 5, "kind": 5}']
    message = error_of(await add(proxy, "\n".join(lines), LINES[0]))["message"]
    assert message.startswith(
        "Line 1: text must not be blank. Line 2 is not valid JSON: Expecting value (column 1)."
    )
    assert message.endswith("Line 4: text must be a string. kind must be 'document' or 'turn'.")


async def test_thousands_of_mistakes_make_a_short_answer(proxy: Proxy) -> None:
    for body, kind in (("oops\n" * 10_000, LINES[0]), (json.dumps([5] * 10_000), "application/json")):
        assert len(error_of(await add(proxy, body, kind))["message"]) < 1000


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/html",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/pdf",
    ],
)
async def test_another_type_is_refused_with_those_that_are_taken(proxy: Proxy, kind: str) -> None:
    response = await add(proxy, b"text", kind)
    refused(response, "Content-Type", "application/json, application/jsonl, application/x-ndjson", 415)
    assert all(taken in error_of(response)["message"] for taken in TEXTS)


@pytest.mark.parametrize("kind", ["application/json", *LINES, *TEXTS])
@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "us-ascii", ""])
async def test_another_encoding_is_refused(proxy: Proxy, kind: str, charset: str) -> None:
    response = await add(proxy, '{"text": "a"}', f"{kind}; charset={charset}")
    refused(response, "Content-Type", "UTF-8", 415)
    assert await texts(proxy) == []


async def test_a_title_beside_json_is_not_passed_over(proxy: Proxy) -> None:
    for name in ("title", "request", "source"):
        response = await add(proxy, '{"text": "a"}', "application/json", f"?{name}=x")
        refused(response, name, "text/plain and text/markdown")
    assert await texts(proxy) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("title=%00", "title"),
        (f"source={'x' * 1001}", "source"),
        (f"request={'x' * 10_001}", "request"),
        ("a=b", "a"),
    ],
)
async def test_a_bad_parameter_of_a_text_is_refused(proxy: Proxy, query: str, param: str) -> None:
    refused(await add(proxy, "text", "text/plain", f"?{query}"), param, param)
    assert await texts(proxy) == []


# Paging


async def test_pages_follow_each_other_without_gap_or_overlap(proxy: Proxy) -> None:
    await add_json(proxy, [{"text": str(n)} for n in range(45)])
    for order, expected in (("desc", range(44, -1, -1)), ("asc", range(45))):
        seen: list[str] = []
        sizes, after = [], ""
        while True:
            page = (await proxy.client.get(f"{EMPTY}?order={order}{after}")).json()
            seen += [item["text"] for item in page["data"]]
            sizes.append(len(page["data"]))
            assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
            if not page["has_more"]:
                break
            after = f"&after={page['last_id']}"
        assert (seen, sizes) == ([str(n) for n in expected], [20, 20, 5])


async def test_a_page_goes_on_behind_an_item_that_is_gone(proxy: Proxy) -> None:
    await add_json(proxy, [{"text": str(n)} for n in range(4)])
    await proxy.client.delete(f"{EMPTY}/item_3")
    page = (await proxy.client.get(f"{EMPTY}?after=item_3&limit=1&order=asc")).json()
    assert [item["text"] for item in page["data"]] == ["2"]
    assert page["has_more"] is True


async def test_an_empty_history_is_an_empty_list(proxy: Proxy) -> None:
    ends = {"first_id": None, "last_id": None, "has_more": False}
    assert (await proxy.client.get(EMPTY)).json() == {"object": "list", "data": [], **ends}


@pytest.mark.parametrize(
    ("query", "param", "says"),
    [
        ("limit=0", "limit", "at least 1"),
        ("limit=101", "limit", "at most 100"),
        ("limit=ten", "limit", "a whole number"),
        ("limit=" + "9" * 5000, "limit", "limit must be"),
        ("order=up", "order", "'desc' or 'asc'"),
        ("after=7", "after", "like item_7"),
        ("after=item_" + "9" * 30, "after", "like item_7"),
        ("before=item_7", "before", "not supported"),
        *(
            (f"after={text}", "after", "like item_7")
            for text in ("' OR 1=1 --", "item_1; DROP TABLE history")
        ),
    ],
)
async def test_a_bad_parameter_of_a_page_is_refused(proxy: Proxy, query: str, param: str, says: str) -> None:
    refused(await proxy.client.get(f"{EMPTY}?{query}"), param, says)


# Searching


async def test_a_search_finds_by_words_best_first_with_the_passage(proxy: Proxy) -> None:
    long = "\n\n".join(["filler words here " * 60, "the heron waits in the reeds", "more filler " * 60])
    await add_json(proxy, [{"text": long}, {"text": "a heron"}, {"text": "nothing"}])
    body = (await proxy.client.get(f"{EMPTY}/search?q=Herons")).json()
    assert [item["id"] for item in body["data"]] == ["item_3", "item_2"]
    best, second = body["data"]
    assert best["score"] > second["score"] > 0
    assert "heron" in second["passage"]
    assert len(second["passage"]) < len(second["text"]) == len(long)
    assert (body["object"], body["first_id"], body["has_more"]) == ("list", "item_3", False)


async def test_a_search_is_of_one_profile(proxy: Proxy) -> None:
    assert await found(proxy, "foghorns", LOUD) != []
    assert await found(proxy, "foghorns") == []


async def test_a_search_has_its_limit(proxy: Proxy) -> None:
    await add_json(proxy, [{"text": "fog"} for _ in range(15)])
    for query, count in (("", 10), ("&limit=3", 3), ("&limit=100", 15)):
        assert len((await proxy.client.get(f"{EMPTY}/search?q=fog{query}")).json()["data"]) == count


async def test_languages_without_spaces_are_found(proxy: Proxy) -> None:
    await add_json(proxy, [{"text": "昨日は東京都庁で働いた"}, {"text": "大阪"}])
    assert await found(proxy, "東京") == ["昨日は東京都庁で働いた"]


@pytest.mark.parametrize(
    "text", [*SYNTAX, '"', "*", "a AND", "NOT", "text:", "^", "(", "{a b}", "+ - | &", "''"]
)
async def test_syntax_is_stored_searched_and_erased_as_text(proxy: Proxy, text: str) -> None:
    before = stored(proxy)
    response = await add_json(proxy, {"text": text, "title": text, "source": text})
    (created,) = response.json()["data"]
    items = await found(proxy, text)
    assert items == ([text] if any(c.isalnum() for c in text) else [])
    path = f"{EMPTY}/{created['id']}"
    changed = (await proxy.client.patch(path, json={"text": f"{text} heron", "title": text})).json()
    assert changed["text"] == f"{text} heron"
    assert await found(proxy, "heron") == [f"{text} heron"]
    assert (await proxy.client.delete(path)).status_code == 200
    assert await found(proxy, "heron") == []
    assert stored(proxy) == before


@pytest.mark.parametrize(
    ("query", "param", "says"),
    [
        ("", "q", "missing"),
        ("q=", "q", "blank"),
        ("q=%20%0A", "q", "blank"),
        ("q=a%00b", "q", "NUL"),
        ("q=a&limit=0", "limit", "at least 1"),
        ("q=a&limit=101", "limit", "at most 100"),
        ("q=a&top_k=3", "top_k", "not supported"),
    ],
)
async def test_a_bad_search_is_refused(proxy: Proxy, query: str, param: str, says: str) -> None:
    refused(await proxy.client.get(f"{EMPTY}/search?{query}"), param, says)


async def test_bytes_that_are_no_text_are_searched_for_in_vain(proxy: Proxy) -> None:
    assert (await proxy.client.get(f"{EMPTY}/search?q=%ff%fe")).json()["data"] == []


# Correcting and erasing


async def test_a_corrected_item_keeps_its_place_and_the_rest_of_it(proxy: Proxy) -> None:
    await add_json(proxy, [{"text": "heron", "title": "T", "source": "s"}, {"text": "second"}])
    (before, _) = await listed(proxy)
    for kind, text in (("application/json", "stork"), ("application/merge-patch+json", "crane")):
        response = await proxy.client.patch(
            f"{EMPTY}/item_2", content=json.dumps({"text": text}), headers={"Content-Type": kind}
        )
        assert response.json() == {**before, "text": text}
    assert await texts(proxy) == ["crane", "second"]
    assert (await found(proxy, "heron"), await found(proxy, "crane")) == ([], ["crane"])


async def test_what_an_item_answers_can_be_corrected(proxy: Proxy) -> None:
    await add_json(proxy, {"text": "Soup.", "request": "Lunch?", "kind": "turn"})
    path = f"{EMPTY}/item_2"
    assert (await proxy.client.patch(path, json={"request": "Dinner?"})).json()["request"] == "Dinner?"
    assert (await found(proxy, "lunch"), await found(proxy, "dinner")) == ([], ["Soup."])
    await proxy.client.patch(path, json={"request": "x" * 100_000})
    refused(await proxy.client.patch(path, json={"kind": "document"}), "request", "at most 10,000 characters")
    assert (await proxy.client.get(path)).json()["kind"] == "turn"


@pytest.mark.parametrize(
    ("patch", "param", "says"),
    [
        ({"text": None}, "text", "a string"),
        ({"text": " "}, "text", "blank"),
        ({"title": "ok", "text": "\0"}, "text", "NUL"),
        ({"title": None}, "title", "a string"),
        ({"created_at": None}, "created_at", "a time"),
        ({"created_at": "9999-12-31T23:59:59-01:00"}, "created_at", "a time"),
        ({"id": "item_9"}, "id", "not supported"),
        ({"object": "profile.history_item"}, "object", "not supported"),
        ([], None, "an object"),
    ],
)
async def test_a_bad_correction_changes_nothing(
    proxy: Proxy, patch: object, param: str | None, says: str
) -> None:
    before = stored(proxy)
    refused(await proxy.client.patch(f"{LOUD}/item_1", json=patch), param, says)
    assert stored(proxy) == before


async def test_a_correction_of_nothing_changes_nothing(proxy: Proxy) -> None:
    before = stored(proxy)
    assert (await proxy.client.patch(f"{LOUD}/item_1", json={})).status_code == 200
    assert stored(proxy) == before
    assert len(await found(proxy, "foghorns", LOUD)) == 1


async def test_an_erased_item_is_gone(proxy: Proxy) -> None:
    await add_json(proxy, [{"text": "one"}, {"text": "two"}])
    response = await proxy.client.delete(f"{EMPTY}/item_2")
    gone = {"id": "item_2", "object": "profile.history_item.deleted", "deleted": True}
    assert response.json() == gone
    assert (await texts(proxy), await found(proxy, "one")) == (["two"], [])
    again = await proxy.client.delete(f"{EMPTY}/item_2")
    assert (again.status_code, error_of(again)["code"]) == (404, "history_item_not_found")


async def test_a_whole_history_is_erased_and_the_profile_stays(proxy: Proxy) -> None:
    await add_json(proxy, [{"text": "one"}, {"text": "two"}])
    response = await proxy.client.delete(EMPTY)
    assert response.json() == {"object": "profile.history.deleted", "deleted": 2}
    assert (await proxy.client.delete(EMPTY)).json()["deleted"] == 0
    assert (await texts(proxy), await found(proxy, "one")) == ([], [])
    assert len(await found(proxy, "foghorns", LOUD)) == 1
    await add_json(proxy, {"text": "one again"})
    assert [item["id"] for item in await listed(proxy)] == ["item_4"]


@pytest.mark.parametrize(
    "item_id",
    [
        "item_99",
        "item_0",
        "item_01",
        "item_-1",
        "item_" + "9" * 19,
        "1",
        "item_",
        "item_1 ",
        "' OR 1=1 --",
        "item_1;x",
    ],
)
async def test_an_unknown_item_is_not_found(proxy: Proxy, item_id: str) -> None:
    before = stored(proxy)
    for method, body in (("GET", None), ("PATCH", {"text": "x"}), ("DELETE", None)):
        response = await proxy.client.request(method, f"{LOUD}/{item_id}", json=body)
        refused(response, "item_id", "no history item", 404)
        assert error_of(response)["code"] == "history_item_not_found"
    assert stored(proxy) == before


async def test_another_profile_s_item_is_not_found(proxy: Proxy) -> None:
    before = stored(proxy)
    for method, body in (("GET", None), ("PATCH", {"text": "x"}), ("DELETE", None)):
        response = await proxy.client.request(method, f"{EMPTY}/item_1", json=body)
        refused(response, "item_id", "no history item", 404)
    assert stored(proxy) == before


async def test_the_time_of_adding_is_now_when_none_is_given(proxy: Proxy) -> None:
    made = (await add_json(proxy, {"text": "a"})).json()["data"][0]["created_at"]
    profile = (await proxy.client.get("/v1/profiles/joined")).json()
    assert datetime.fromisoformat(made) >= datetime.fromisoformat(profile["created_at"])
