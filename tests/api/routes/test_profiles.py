"""/v1/profiles: created, changed, exported, imported, previewed and erased; nothing half done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from conftest import Proxy
from fakes import LOUD, FakeTokenizer

from api.routes.test_chat import HELLO, data_of, error_of
from app.decoding.generator import GenerationRequest, Generator
from app.profiles.profile import HistoryItem, Preference, ProfileDocument
from app.prompts.private import Contrast

JSON = {"Content-Type": "application/json"}
NEW = {"id": "isabel", "name": "Isabel Martínez", "fields": {"style": "brief", "job": "agent"}}
# What would do harm if it were pasted into SQL or into a full-text query.
SYNTAX = [
    "'; DROP TABLE profile; --",
    '" OR 1=1 --',
    "loud' UNION SELECT hash FROM api_key --",
    'NEAR("a" "b", 5) AND NOT text:* ^x',
    "\"loud:search\"(rank) VALUES ('delete-all')",
    "%_\\ ? :name $1 {} {0} %s",
]


async def raw(proxy: Proxy, method: str, path: str, body: object) -> httpx.Response:
    """Sends what httpx itself would refuse to write: NaN, lone surrogates."""
    content = body if isinstance(body, bytes) else json.dumps(body)
    return await proxy.client.request(method, path, content=content, headers=JSON)


def refused(response: httpx.Response, param: str | None, says: str, status: int = 400) -> None:
    assert response.status_code == status, response.text
    error = error_of(response)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert says in error["message"]


def stored(proxy: Proxy) -> list[ProfileDocument]:
    """Everything that is kept, history included."""
    return [proxy.store.profiles.export(one.profile.id) for one in proxy.store.profiles.list()]


# Create, read, list


async def test_a_profile_is_created_and_read(proxy: Proxy) -> None:
    before = datetime.now(UTC)
    response = await proxy.client.post("/v1/profiles", json={**NEW, "strength": 1.5, "record_history": True})
    assert response.status_code == 201
    body = response.json()
    assert list(body["fields"].items()) == [("style", "brief"), ("job", "agent")]
    assert before <= datetime.fromisoformat(body["created_at"]) <= before + timedelta(minutes=1)
    assert {name: body[name] for name in body if not name.endswith("_at")} == {
        **NEW,
        "object": "profile",
        "default": False,
        "strength": 1.5,
        "record_history": True,
        "preferences": [],
        "disclosure": {"least": "open", "identifiers": {}, "fields": {}, "budget": None},
        "history_count": 0,
    }
    assert (await proxy.client.get("/v1/profiles/isabel")).json() == body


async def test_a_strength_of_auto_comes_back_and_can_be_changed(proxy: Proxy) -> None:
    created = await proxy.client.post("/v1/profiles", json={**NEW, "strength": "auto"})
    assert (created.status_code, created.json()["strength"]) == (201, "auto")
    for strength in (1.5, "auto", None, "auto"):
        changed = await proxy.client.patch("/v1/profiles/isabel", json={"strength": strength})
        assert changed.json()["strength"] == strength
        assert (await proxy.client.get("/v1/profiles/isabel")).json()["strength"] == strength
    renamed = await proxy.client.patch("/v1/profiles/isabel", json={"name": "Bel"})
    assert renamed.json()["strength"] == "auto"


async def test_a_strength_of_auto_is_exported_and_imported_as_it_is(proxy: Proxy) -> None:
    await proxy.client.patch("/v1/profiles/loud", json={"strength": "auto"})
    exported = (await proxy.client.get("/v1/profiles/loud/export")).content
    assert json.loads(exported)["strength"] == "auto"
    before = stored(proxy)
    await proxy.client.delete("/v1/profiles/loud")
    response = await proxy.client.post("/v1/profiles/import", content=exported, headers=JSON)
    assert (response.status_code, response.json()["strength"]) == (201, "auto")
    assert stored(proxy) == before
    toml = b'id = "t"\nname = "T"\nstrength = "auto"\n'
    headers = {"Content-Type": "application/toml"}
    response = await proxy.client.post("/v1/profiles/import", content=toml, headers=headers)
    assert (response.status_code, response.json()["strength"]) == (201, "auto")


async def test_a_new_profile_steers_at_once(proxy: Proxy) -> None:
    await proxy.client.post("/v1/profiles", json={"id": "p", "name": "P", "fields": {"style": "LOUD"}})
    assert await proxy.text(profile="p") == "HELLO WORLD"


async def test_profiles_are_listed_by_id_in_openai_s_shape(proxy: Proxy) -> None:
    body = (await proxy.client.get("/v1/profiles")).json()
    assert list(body) == ["object", "data", "first_id", "last_id", "has_more"]
    assert [one["id"] for one in body["data"]] == ["joined", "loud"]
    ends = (body["object"], body["first_id"], body["last_id"], body["has_more"])
    assert ends == ("list", "joined", "loud", False)
    assert body["data"][1] == (await proxy.client.get("/v1/profiles/loud")).json()
    assert body["data"][1]["history_count"] == 1


async def test_an_id_is_given_once(proxy: Proxy) -> None:
    before = stored(proxy)
    response = await proxy.client.post("/v1/profiles", json={"id": "loud", "name": "Another"})
    refused(response, "id", "'loud' already", 409)
    assert error_of(response)["code"] == "profile_exists"
    assert stored(proxy) == before


async def test_there_is_one_default_at_most(proxy: Proxy) -> None:
    for name in ("one", "two"):
        await proxy.client.post("/v1/profiles", json={"id": name, "name": name, "default": True})
    await proxy.client.patch("/v1/profiles/loud", json={"default": True})
    listed = (await proxy.client.get("/v1/profiles")).json()["data"]
    assert [one["id"] for one in listed if one["default"]] == ["loud"]


BAD: list[tuple[object, str | None, str]] = [
    ({**NEW, "id": "Isabel M"}, "id", "lowercase letters"),
    ({**NEW, "id": SYNTAX[0]}, "id", "lowercase letters"),
    ({"id": "x"}, "name", "missing"),
    ({**NEW, "name": " "}, "name", "blank"),
    ({**NEW, "name": "a\0b"}, "name", "NUL"),
    ({**NEW, "name": "\ud800"}, "name", "lone surrogate"),
    ({**NEW, "name": "x" * 201}, "name", "at most 200"),
    ({**NEW, "fields": {"a": 5}}, "fields.a", "a string"),
    ({**NEW, "fields": {"a": "x" * 10_001}}, "fields.a", "at most 10000"),
    ({**NEW, "fields": {"x" * 101: "a"}}, f"fields.{'x' * 101}", "at most 100"),
    ({**NEW, "fields": {"\ud800": "a"}}, "fields.\ufffd\ufffd\ufffd", "lone surrogate"),
    ({**NEW, "fields": {"a\0": "a"}}, "fields.a\0", "NUL"),
    ({**NEW, "fields": {str(n): "x" for n in range(101)}}, "fields", "at most 100"),
    ({**NEW, "fields": ["x"]}, "fields", "an object"),
    ({**NEW, "preferences": "x"}, "preferences", "a list"),
    ({**NEW, "preferences": [{"text": "a\0"}]}, "preferences[0].text", "NUL"),
    ({**NEW, "preferences": [str(n) for n in range(21)]}, "preferences", "at most 20"),
    ({**NEW, "strength": 5}, "strength", 'a number from 0 to 4, or "auto"'),
    ({**NEW, "strength": "strong"}, "strength", 'a number from 0 to 4, or "auto"'),
    ({**NEW, "strength": True}, "strength", 'a number from 0 to 4, or "auto"'),
    ({**NEW, "default": "yes"}, "default", "true or false"),
    ({**NEW, "history": []}, "history", "not supported"),
    ({**NEW, "strength": float("nan")}, None, "NaN"),
    (b'{"id": "a", "id": "b", "name": "c"}', None, "same key twice"),
    (b'{"id": ' + b"9" * 5000 + b"}", None, "thousands of digits"),
    (b"[" * 100_000, None, "nested too deeply"),
    (b'{"id": "a"', None, "line 1, column 11"),
    (b'{"id":\n"\xff"}', "line 2", "not UTF-8"),
    (b"", None, "is empty"),
    (b" \n", None, "is empty"),
    (b"null", None, "must be an object"),
    (b"[]", None, "must be an object"),
]


@pytest.mark.parametrize(("body", "param", "says"), BAD, ids=[ascii(case[0])[:60] for case in BAD])
async def test_a_bad_profile_is_refused_by_name(
    proxy: Proxy, body: object, param: str | None, says: str
) -> None:
    before = stored(proxy)
    refused(await raw(proxy, "POST", "/v1/profiles", body), param, says)
    assert stored(proxy) == before


async def test_the_first_mistakes_are_told_at_once_and_the_rest_counted(proxy: Proxy) -> None:
    response = await raw(proxy, "POST", "/v1/profiles", {"name": "", **{f"x{n}": 1 for n in range(9)}})
    message = error_of(response)["message"]
    assert message.startswith("id is missing; add it. name must not be blank. x0 is not supported here")
    assert message.endswith(" And 6 more.")


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "json",
        ";",
    ],
)
async def test_a_body_of_another_type_is_refused_with_those_that_are_taken(
    proxy: Proxy, given: str | None
) -> None:
    for method, path in [
        ("POST", "/v1/profiles"),
        ("PATCH", "/v1/profiles/loud"),
        ("POST", "/v1/profiles/import"),
        ("POST", "/v1/profiles/loud/preview"),
    ]:
        headers = {"Content-Type": given} if given is not None else {}
        response = await proxy.client.request(method, path, content=json.dumps(NEW), headers=headers)
        says = "charset=utf-8" if given and "charset" in given else "application/json"
        refused(response, "Content-Type", says, 415)


@pytest.mark.parametrize("charset", ["", ";charset=utf-8", '; Charset="UTF-8"', "; profile=x; charset=utf8"])
async def test_utf_8_may_be_said(proxy: Proxy, charset: str) -> None:
    headers = {"Content-Type": f"Application/JSON{charset}"}
    data = json.dumps(NEW, ensure_ascii=False).encode()
    response = await proxy.client.post("/v1/profiles", content=data, headers=headers)
    assert response.status_code == 201
    assert response.json()["name"] == NEW["name"]


@pytest.mark.parametrize("text", SYNTAX)
async def test_syntax_is_text_like_any_other(proxy: Proxy, text: str) -> None:
    before = stored(proxy)
    body = {"id": "p", "name": text, "fields": {text: text}}
    assert (await proxy.client.post("/v1/profiles", json=body)).json()["fields"] == {text: text}
    await proxy.client.patch("/v1/profiles/p", json={"name": f"{text}!", "fields": {f"{text}2": text}})
    changed = (await proxy.client.get("/v1/profiles/p")).json()
    assert (changed["name"], changed["fields"]) == (f"{text}!", {text: text, f"{text}2": text})
    assert (await proxy.client.delete("/v1/profiles/p")).status_code == 200
    assert stored(proxy) == before


@pytest.mark.parametrize(
    "profile_id", [*SYNTAX, "nobody", "LOUD", "loud ", "\0", "'", "loud:search", "ü" * 500]
)
async def test_an_unknown_profile_is_not_found(proxy: Proxy, profile_id: str) -> None:
    before = stored(proxy)
    base = httpx.URL("http://localhost/").copy_with(raw_path=b"/v1/profiles/" + _quoted(profile_id))
    for method, rest, body in [
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/export", None),
        ("POST", "/preview", {"messages": HELLO}),
        ("GET", "/history", None),
        ("POST", "/history", {"text": "x"}),
        ("DELETE", "/history", None),
        ("GET", "/history/search?q=x", None),
        ("GET", "/history/item_1", None),
        ("PATCH", "/history/item_1", {"text": "x"}),
        ("DELETE", "/history/item_1", None),
    ]:
        url = base.copy_with(raw_path=base.raw_path + rest.encode())
        response = await proxy.client.request(method, url, json=body)
        refused(response, "profile", "There is no profile", 404)
        assert error_of(response)["code"] == "profile_not_found"
    assert stored(proxy) == before


def _quoted(text: str) -> bytes:
    return "".join(f"%{byte:02x}" for byte in text.encode()).encode()


# Change and erase


async def test_a_patch_changes_what_it_names(proxy: Proxy) -> None:
    before = (await proxy.client.post("/v1/profiles", json={**NEW, "strength": 1.5})).json()
    patch = {"name": "Bel", "fields": {"style": None, "city": "Lisbon"}, "strength": None}
    body = (await proxy.client.patch("/v1/profiles/isabel", json=patch)).json()
    assert list(body["fields"].items()) == [("job", "agent"), ("city", "Lisbon")]
    assert (body["name"], body["strength"]) == ("Bel", None)
    assert body["updated_at"] > before["updated_at"]
    assert body["created_at"] == before["created_at"]
    assert (await proxy.client.get("/v1/profiles/isabel")).json() == body


async def test_preferences_are_kept_replaced_and_removed(proxy: Proxy) -> None:
    given = ["Answer briefly.", {"text": "Use plain words.", "opposite": "Use technical terms."}]
    shown = [{"text": "Answer briefly.", "opposite": ""}, given[1]]
    created = await proxy.client.post("/v1/profiles", json={**NEW, "preferences": given})
    assert (created.status_code, created.json()["preferences"]) == (201, shown)
    renamed = await proxy.client.patch("/v1/profiles/isabel", json={"name": "Bel"})
    assert renamed.json()["preferences"] == shown
    exported = (await proxy.client.get("/v1/profiles/isabel/export")).content
    assert json.loads(exported)["preferences"] == shown
    changed = await proxy.client.patch("/v1/profiles/isabel", json={"preferences": [shown[1]]})
    assert changed.json()["preferences"] == [shown[1]]
    removed = await proxy.client.patch("/v1/profiles/isabel", json={"preferences": None})
    assert removed.json()["preferences"] == []
    again = await proxy.client.post("/v1/profiles/import?replace=true", content=exported, headers=JSON)
    assert (again.status_code, again.json()["preferences"]) == (200, shown)
    assert (await proxy.client.get("/v1/profiles/isabel")).json()["preferences"] == shown


async def test_an_empty_patch_changes_nothing(proxy: Proxy) -> None:
    before = (await proxy.client.get("/v1/profiles/loud")).json()
    for kind in ("application/json", "application/merge-patch+json"):
        headers = {"Content-Type": kind}
        response = await proxy.client.patch("/v1/profiles/loud", content=b"{}", headers=headers)
        assert response.json() == before


@pytest.mark.parametrize(
    ("patch", "param", "says"),
    [
        ({"id": "other"}, "id", "not supported"),
        ({"name": None}, "name", "a string"),
        ({"name": "x", "default": None}, "default", "true or false"),
        ({"fields": None}, "fields", "an object"),
        ({"name": "x", "fields": {"a": ""}}, "fields.a", "blank"),
        ({"name": "x", "fields": {str(n): "x" for n in range(100)}}, "fields", "at most 100 fields"),
        ({"name": "x", "strength": -0.1}, "strength", 'a number from 0 to 4, or "auto"'),
        ({"name": "x", "strength": "AUTO"}, "strength", 'a number from 0 to 4, or "auto"'),
        ({"name": "x", "preferences": ["a", ""]}, "preferences[1]", "blank"),
        ({"name": "x", "preferences": ["a", "a"]}, "preferences[1]", "the text of [0] again"),
        ({"history_count": 0}, "history_count", "not supported"),
    ],
)
async def test_a_bad_patch_changes_nothing(
    proxy: Proxy, patch: dict[str, Any], param: str, says: str
) -> None:
    before = stored(proxy)
    refused(await raw(proxy, "PATCH", "/v1/profiles/loud", patch), param, says)
    assert stored(proxy) == before


async def test_a_changed_profile_steers_otherwise(proxy: Proxy) -> None:
    await proxy.client.patch("/v1/profiles/loud", json={"fields": {"writing_style": "JOINED"}})
    assert await proxy.text(profile="loud") == "hello_world"
    await proxy.client.patch("/v1/profiles/loud", json={"strength": 0})
    assert await proxy.text(profile="loud") == "hello world"


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({"c": "3", "a": "1", "b": "2"}, "cab"),
        ({"c": "new", "a": "1"}, "abc"),
        ({"d": "4", "b": "2", "a": "1", "c": "3"}, "dbac"),
        ({"b": "2", "d": "4"}, "abcd"),
        ({"c": "3", "b": None, "a": "1"}, "ca"),
        ({"c": "3", "b": None, "x": None, "d": "4"}, "acd"),
        ({"c": None, "b": None}, "a"),
        ({"renamed": "2", "b": None, "c": "3", "a": "1"}, ["renamed", "c", "a"]),
        ({}, "abc"),
    ],
)
async def test_a_patch_that_names_all_fields_that_are_left_says_their_order(
    proxy: Proxy, fields: dict[str, str | None], order: Sequence[str]
) -> None:
    made = {"id": "isabel", "name": "Isabel", "fields": {"a": "1", "b": "2", "c": "3"}}
    await proxy.client.post("/v1/profiles", json=made)
    changed = await proxy.client.patch("/v1/profiles/isabel", json={"fields": fields})
    assert list(changed.json()["fields"]) == list(order)
    assert (await proxy.client.get("/v1/profiles/isabel")).json() == changed.json()
    body = {"messages": HELLO}
    shown = (await proxy.client.post("/v1/profiles/isabel/preview", json=body)).json()
    prompt = shown["prompts"][0]["context_aware"]["prompt"]
    places = [prompt.index(f"{key.capitalize()}: ") for key in order]
    assert places == sorted(places)


async def test_an_erased_profile_is_gone_with_its_history(proxy: Proxy) -> None:
    response = await proxy.client.delete("/v1/profiles/loud")
    assert response.json() == {"id": "loud", "object": "profile.deleted", "deleted": True}
    assert [document.profile.id for document in stored(proxy)] == ["joined"]
    await proxy.client.post("/v1/profiles", json={"id": "loud", "name": "Other"})
    assert (await proxy.client.get("/v1/profiles/loud/history")).json()["data"] == []


# Export and import


@pytest.fixture
async def exported(proxy: Proxy) -> bytes:
    """An export with everything that there is in it."""
    await proxy.client.patch("/v1/profiles/loud", json={"strength": 0.1, "default": True})
    items = [
        {"text": text, "title": text, "source": text, "kind": "turn", "request": text} for text in SYNTAX
    ]
    odd = [{"text": "a\r\nb\u2028c \U0001f98a", "created_at": "0001-01-01T00:00:00Z"}]
    response = await proxy.client.post("/v1/profiles/loud/history", json=[*items, *odd])
    assert response.status_code == 201
    return (await proxy.client.get("/v1/profiles/loud/export")).content


async def test_an_export_is_one_json_document_to_keep(proxy: Proxy, exported: bytes) -> None:
    response = await proxy.client.get("/v1/profiles/loud/export")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Content-Disposition"] == 'attachment; filename="loud.json"'
    document = response.json()
    assert document["fields"] == dict(LOUD.fields)
    assert [item["text"] for item in document["history"]][1:-1] == SYNTAX
    assert document["history"][-1]["created_at"] == "0001-01-01T00:00:00.000000Z"


async def test_an_import_gives_back_what_was_exported(proxy: Proxy, exported: bytes) -> None:
    before = proxy.store.profiles.export("loud")
    await proxy.client.delete("/v1/profiles/loud")
    response = await raw(proxy, "POST", "/v1/profiles/import", exported)
    assert (response.status_code, response.json()["history_count"]) == (201, 8)
    assert proxy.store.profiles.export("loud") == before
    assert (await proxy.client.get("/v1/profiles/loud/export")).content == exported
    again = await raw(proxy, "POST", "/v1/profiles/import?replace=true", exported)
    assert again.status_code == 200
    assert (await proxy.client.get("/v1/profiles/loud/export")).content == exported


async def test_an_import_says_what_it_would_replace(proxy: Proxy, exported: bytes) -> None:
    before = stored(proxy)
    response = await raw(proxy, "POST", "/v1/profiles/import", {"id": "loud", "name": "New"})
    refused(response, "id", "history of 8 items", 409)
    assert "replace=true" in error_of(response)["message"]
    assert stored(proxy) == before


async def test_an_import_replaces_all_when_told_so(proxy: Proxy, exported: bytes) -> None:
    document = {"id": "loud", "name": "New", "history": [{"text": "only"}]}
    response = await raw(proxy, "POST", "/v1/profiles/import?replace=true", document)
    assert (response.status_code, response.json()["name"]) == (200, "New")
    assert [item.text for item in proxy.store.profiles.export("loud").history] == ["only"]
    await raw(proxy, "POST", "/v1/profiles/import?replace=true", exported)
    assert (await proxy.client.get("/v1/profiles/loud/export")).content == exported


async def test_a_profile_file_is_taken_as_toml(proxy: Proxy) -> None:
    toml = 'id = "t"\nname = "T"\n[fields]\nb = "1"\na = "2"\n[[history]]\ntext = "x"\n'
    headers = {"Content-Type": "application/toml; charset=utf-8"}
    response = await proxy.client.post("/v1/profiles/import", content=toml, headers=headers)
    assert response.status_code == 201
    assert list(response.json()["fields"]) == ["b", "a"]
    wrong = toml.replace('a = "2"', "a = 2").replace('"t"', '"u"')
    response = await proxy.client.post("/v1/profiles/import", content=wrong, headers=headers)
    refused(response, "fields.a", "line 5, fields.a: found a number")


async def test_an_import_that_was_cut_off_anywhere_stores_nothing(proxy: Proxy, exported: bytes) -> None:
    before = stored(proxy)
    end = len(exported.rstrip())
    for size in [*range(0, end, 97), end - 1]:
        for replaced in ("", "?replace=true"):
            response = await raw(proxy, "POST", f"/v1/profiles/import{replaced}", exported[:size])
            assert response.status_code == 400, size
            assert error_of(response)["type"] == "invalid_request_error"
    assert stored(proxy) == before


@pytest.mark.parametrize(
    ("document", "param", "says"),
    [
        ({"id": "x", "name": "X", "history": [{"text": "a"}, {"text": ""}]}, "history[1].text", "blanks"),
        ({"id": "x", "name": "X", "history": [{"text": "a\0"}]}, "history[0].text", "NUL"),
        ({"id": "x", "name": "X", "history": [{"text": "\ud800"}]}, "history[0].text", "surrogate"),
        ({"id": "x", "name": "X", "history": [{"txt": "a", "text": "b"}]}, "history[0].txt", "did you mean"),
        ({"id": "x", "name": "X", "history": {}}, "history", "a table"),
        ({"id": "x y", "name": "X"}, "id", "lowercase"),
        ({"id": "x", "name": "X", "updated_at": "now"}, "updated_at", "no time"),
        ({"id": "x"}, "name", "missing"),
        (b'{"id": "x", "name": "a", "name": "b"}', None, "same key twice"),
        (b'{"id": ' + b"9" * 5000 + b"}", None, "thousands of digits"),
        (b"[" * 100_000, None, "nested too deeply"),
        (b'{"id": "x",\n"name": "\xff"}', None, "line 2"),
        (b"", None, "empty"),
    ],
)
async def test_a_bad_import_is_refused_by_key_and_stores_nothing(
    proxy: Proxy, document: object, param: str | None, says: str
) -> None:
    before = stored(proxy)
    refused(await raw(proxy, "POST", "/v1/profiles/import", document), param, says)
    assert stored(proxy) == before


@pytest.mark.parametrize(("query", "param"), [("replace=maybe", "replace"), ("replaced=true", "replaced")])
async def test_a_mistyped_parameter_is_not_passed_over(proxy: Proxy, query: str, param: str) -> None:
    response = await raw(proxy, "POST", f"/v1/profiles/import?{query}", NEW)
    refused(response, param, param)
    assert len(stored(proxy)) == 2


# Preview


async def preview(proxy: Proxy, content: str, **fields: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": content}], **fields}
    response = await proxy.client.post("/v1/profiles/loud/preview", json=body)
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def test_a_preview_shows_all_prompts_and_what_was_chosen(proxy: Proxy) -> None:
    shown = await preview(proxy, "When does the horn sound?")
    assert list(shown) == [
        "object",
        "profile",
        "strength",
        "prompts",
        "private",
        "history",
        "preferences",
        "disclosure",
        "levels",
    ]
    assert (shown["object"], shown["profile"], shown["strength"]) == ("profile.preview", "loud", 0.5)
    (pair,) = shown["prompts"]
    assert (pair["about"], pair["weight"]) == ("person", 1.0)
    aware, agnostic = pair["context_aware"], pair["context_agnostic"]
    for part in ("The user is Lotte Ohrwurm.", "A note on foghorns", "The old horn sounds twice"):
        assert part in aware["prompt"]
        assert part not in agnostic["prompt"]
    assert "When does the horn sound?" in aware["prompt"]
    # In the fake vocabulary a token is a byte of the text, or a mark.
    assert agnostic["tokens"] == len("When does the horn sound?") + 3
    assert aware["tokens"] == len(FakeTokenizer().encode(aware["prompt"]))
    assert aware["tokens"] - agnostic["tokens"] <= shown["private"]["tokens"] <= 2048
    assert shown["private"]["max_tokens"] == 2048
    (found,) = shown["history"]
    assert (found["id"], found["included"]) == ("item_1", True)
    assert found["score"] > 0
    assert found["passage"] == found["text"]


async def test_a_preview_marks_each_phrase_with_its_level(proxy: Proxy) -> None:
    own = {"fields": {"occupation": "off"}, "identifiers": {"name": "shape"}}
    fields = {"mail": "Ask lotte@example.org."}
    await proxy.client.patch("/v1/profiles/loud", json={"fields": fields, "disclosure": own})
    await proxy.client.patch("/v1/profiles/loud/history/item_1", json={"disclosure": "off"})
    shown = await preview(proxy, "When does the horn sound?")
    marked = [tuple(one[key] for key in ("what", "key", "item", "level")) for one in shown["levels"]]
    assert marked == [
        ("name", None, None, "shape"),
        ("field", "writing_style", None, "open"),
        ("field", "occupation", None, "off"),
        ("field", "mail", None, "open"),
        ("email", "mail", None, "shape"),
        ("item", None, "item_1", "off"),
    ]
    texts = [one["text"] for one in shown["levels"]]
    assert texts[0] == "Lotte Ohrwurm" and texts[4:] == ["lotte@example.org", "A note on foghorns"]
    for hidden in ("Foghorn keeper", "The old horn"):
        assert hidden not in str(shown["prompts"])


async def test_a_stricter_request_marks_more_strictly(proxy: Proxy) -> None:
    asked = {one: await preview(proxy, "The horn?", disclosure=one) for one in ("shape", "fill", "off")}
    shown = {least: {one["level"] for one in each["levels"]} for least, each in asked.items()}
    assert shown == {"shape": {"shape", "fill"}, "fill": {"fill"}, "off": {"off"}}
    assert {one["item"] for one in asked["off"]["levels"]} == {None, "item_1"}


async def test_a_preview_is_what_a_chat_reads(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    session = proxy.local.session

    def watched(contrasts: Sequence[Contrast]) -> Any:
        for one in contrasts:
            read.extend(proxy.remote.tokenizer.decode(each.ids) for each in (one.aware, one.agnostic))
        return session(contrasts)

    monkeypatch.setattr(proxy.local, "session", watched)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "The horn?"}]
    body = {"messages": messages, "preferences": [{"text": "Hum.", "opposite": "Bark."}]}
    shown = (await proxy.client.post("/v1/profiles/loud/preview", json=body)).json()
    await proxy.chat(profile="loud", messages=messages, costeer={"preferences": body["preferences"]})
    marks = str.maketrans("", "", "\ue000\ue001\ue002\ue003")
    prompts = [
        pair[name]["prompt"].translate(marks)
        for pair in shown["prompts"]
        for name in ("context_aware", "context_agnostic")
    ]
    assert len(read) == 4
    assert read == prompts


async def test_a_preview_asks_no_model_and_sends_nothing(proxy: Proxy) -> None:
    await preview(proxy, "The horn?")
    assert (proxy.local.sessions, proxy.remote.handed) == (0, [])


async def test_a_preview_does_not_change_what_a_chat_chooses(proxy: Proxy) -> None:
    """What is added between the two is chosen, as if there had been no preview."""
    await preview(proxy, "The horn?")
    await proxy.client.post("/v1/profiles/loud/history", json={"text": "horn horn horn"})
    shown = await preview(proxy, "The horn?")
    assert {item["id"] for item in shown["history"]} == {"item_1", "item_2"}


async def test_a_preview_shows_the_choice_that_a_conversation_keeps(proxy: Proxy) -> None:
    first = {"role": "user", "content": "The horn?"}
    await proxy.chat(profile="loud", messages=[first])
    await proxy.client.post("/v1/profiles/loud/history", json={"text": "horn horn horn"})
    reply = {"role": "assistant", "content": "Twice."}
    body = {"messages": [first, reply, {"role": "user", "content": "And the other horn?"}]}
    shown = (await proxy.client.post("/v1/profiles/loud/preview", json=body)).json()
    assert [item["id"] for item in shown["history"]] == ["item_1"]
    body["messages"][0] = {"role": "user", "content": "A horn?"}
    shown = (await proxy.client.post("/v1/profiles/loud/preview", json=body)).json()
    assert {item["id"] for item in shown["history"]} == {"item_1", "item_2"}


async def test_what_finds_no_room_is_shown_as_left_out(proxy: Proxy) -> None:
    await proxy.client.post("/v1/profiles/loud/history", json={"text": "fog " * 490})
    shown = await preview(proxy, "fog")
    assert {item["id"]: item["included"] for item in shown["history"]} == {"item_2": False, "item_1": True}
    assert shown["private"]["tokens"] <= shown["private"]["max_tokens"]


async def test_a_preview_has_the_strength_that_a_chat_would_have(proxy: Proxy) -> None:
    assert (await preview(proxy, "x", strength=2))["strength"] == 2
    await proxy.client.patch("/v1/profiles/loud", json={"strength": 1})
    assert (await preview(proxy, "x", strength=None))["strength"] == 1
    shown = await preview(proxy, "x", strength="auto")
    assert shown["strength"] == "auto"
    assert shown["prompts"] == (await preview(proxy, "x"))["prompts"]


async def test_a_preview_reads_the_preferences_that_a_chat_would(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[Preference, ...]] = []
    local_prompts = Generator.local_prompts

    def watched(self: Generator, generation: GenerationRequest) -> Any:
        read.append(generation.preferences)
        return local_prompts(self, generation)

    monkeypatch.setattr(Generator, "local_prompts", watched)
    await proxy.client.patch("/v1/profiles/loud", json={"preferences": ["Answer briefly."]})
    asked: list[dict[str, Any]] = [
        {},
        {"preferences": None},
        {"preferences": []},
        {"preferences": ["In rhymes."]},
    ]
    for own in asked:
        await preview(proxy, "x", **own)
    kept = (Preference("Answer briefly."),)
    assert read == [kept, kept, (), (Preference("In rhymes."),)]


async def test_at_strength_0_nothing_is_read(proxy: Proxy) -> None:
    shown = await preview(proxy, "The horn?", strength=0)
    assert (shown["prompts"], shown["private"]["tokens"], shown["history"]) == ([], 0, [])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": HELLO, "strength": 9}, "strength"),
        ({"messages": HELLO, "strength": "strong"}, "strength"),
        ({"messages": HELLO, "model": "m"}, "model"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
    ],
)
async def test_a_bad_preview_is_refused_by_name(proxy: Proxy, body: dict[str, Any], param: str) -> None:
    refused(await raw(proxy, "POST", "/v1/profiles/loud/preview", body), param, param)


# Private


async def test_no_refusal_quotes_what_was_sent(proxy: Proxy) -> None:
    secret = "Zanzibar 4711"
    item = {"text": f"{secret}\0", "title": [secret], "created_at": secret, "kind": secret}
    for path, body in [
        ("/v1/profiles", {"id": secret, "name": [secret], "strength": secret, "fields": {"a": [secret]}}),
        ("/v1/profiles/import", {"id": secret, "name": [secret], "history": [item], "created_at": secret}),
        ("/v1/profiles/loud/history", item),
        ("/v1/profiles/loud/history", [{"text": "x"}, item]),
        ("/v1/profiles/loud/preview", {"messages": [{"role": secret, "content": {secret: 1}}]}),
    ]:
        response = await raw(proxy, "POST", path, body)
        assert response.status_code == 400
        assert secret not in response.text.replace("\\", "")
    assert (await proxy.client.get(f"/v1/profiles/loud/history?after={secret}")).text.find(secret) == -1


async def test_a_path_s_every_method_is_named(proxy: Proxy) -> None:
    for path, right in [
        ("/v1/profiles", "GET, HEAD, POST"),
        ("/v1/profiles/loud", "GET, HEAD, PATCH, DELETE"),
        ("/v1/profiles/loud/history", "GET, HEAD, POST, DELETE"),
    ]:
        response = await proxy.client.put(path, json={})
        assert (response.status_code, response.headers["Allow"]) == (405, right)


async def test_a_profile_can_be_called_like_a_route(proxy: Proxy) -> None:
    for name in ("import", "history", "search", "export", "preview"):
        assert (await proxy.client.post("/v1/profiles", json={"id": name, "name": name})).status_code == 201
        assert (await proxy.client.get(f"/v1/profiles/{name}")).json()["name"] == name
        response = await proxy.chat(profile=name, stream=True)
        assert data_of(response)[-1] == "[DONE]"
        assert (await proxy.client.delete(f"/v1/profiles/{name}")).status_code == 200


async def test_a_history_item_added_is_what_an_export_holds(proxy: Proxy) -> None:
    item = HistoryItem("T", "text", "turn", "s", datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC), "r", "off")
    body = {"title": "T", "text": "text", "kind": "turn", "source": "s", "request": "r", "disclosure": "off"}
    created = {"created_at": "2026-01-31T13:00:00.000005+01:00"}
    await proxy.client.post("/v1/profiles/joined/history", json={**body, **created})
    assert proxy.store.profiles.export("joined").history == (item,)
    document = (await proxy.client.get("/v1/profiles/joined/export")).json()
    assert document["history"] == [{**body, "created_at": "2026-01-31T12:00:00.000005Z"}]
