"""docs/api.md says what the code does: its routes, headers, fields and errors, all of them and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Proxy
from starlette.routing import Match, Mount

from app import errors
from app.api.middleware import isolation, origins
from app.api.routes import passthrough
from app.api.schemas.chat import ChatMessage, ChatRequest
from app.api.schemas.chat_fields import LABELS, OWN
from app.api.schemas.response_items import ITEMS
from app.api.schemas.responses import ResponseRequest
from app.errors import CoSteerError, RemoteRejected
from app.main import create_app
from app.profiles.document import DocumentIn, ItemIn
from app.profiles.shelf import RESPONSES
from app.settings.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "app").rglob("*.py"))}
CODE = re.compile(r"`([^`]+)`")
HEADER = re.compile(r"\bx[-_]costeer(?:[-_][a-z]+)+", re.IGNORECASE)
# A path of this server, in text and in the URL of an example.
PATH = re.compile(
    r"(?<![\w./])(?:http://127\.0\.0\.1:8000)?(/(?:v1|health|ready|metrics|docs|openapi)\b[\w{}/.]*)"
)
ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/.*)")
# What is an address of the whole, and no route.
BASE = "/v1"


def between(marker: str) -> str:
    """What stands in the document between a marker and its end."""
    found = re.search(rf"<!-- {marker} -->\n(.*?)<!-- /{marker} -->", DOCUMENT, re.DOTALL)
    assert found is not None, f"docs/api.md has no {marker}"
    return found[1]


def section(title: str, level: str = "##") -> str:
    """The text under a heading, to the next one of its level or above."""
    above = f"#{{2,{len(level)}}} "
    found = re.search(rf"^{level} {title}$(.*?)(?=^{above}|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/api.md has no {title}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of its tables, without their heads."""
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if "|" in line
    ]
    heads = [number - 1 for number, row in enumerate(cells) if set("".join(row)) <= set("-|")]
    return [row for number, row in enumerate(cells) if number not in heads and number - 1 not in heads]


def first_names(text: str) -> list[str]:
    """What is named in the first cells of its tables."""
    return [name for row in rows(text) for name in CODE.findall(row[0])]


def flat(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, those of included routers as well."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from flat(included.routes)


@pytest.fixture
def routes(clean_environment: Path) -> list[Any]:
    return list(flat(create_app(Settings()).routes))


def operations(routes: Iterable[Any]) -> set[tuple[str, str]]:
    """Method and path of all but what is passed on by its family; HEAD goes with every GET."""
    own = [route for route in routes if not isinstance(route, Mount)]
    return {
        (method, route.path.replace(":path}", "}"))
        for route in own
        for method in route.methods - {"HEAD"}
        if route.endpoint is not passthrough.pass_on or route.include_in_schema
    }


def test_every_route_is_documented_and_no_other(routes: list[Any]) -> None:
    documented = {match.groups() for code in CODE.findall(DOCUMENT) if (match := ROUTE.fullmatch(code))}
    assert documented == operations(routes)


def test_every_family_that_is_passed_on_is_documented_and_no_other(routes: list[Any]) -> None:
    passed = [route for route in routes if getattr(route, "endpoint", None) is passthrough.pass_on]
    assert sorted(CODE.findall(between("passed on"))) == sorted({r.path.partition("/{")[0] for r in passed})


def test_every_path_in_text_and_examples_leads_somewhere(routes: list[Any]) -> None:
    named = {path.rstrip(".") for path in PATH.findall(DOCUMENT)} - {BASE}
    assert named
    for path in named:
        scope = {"type": "http", "path": path, "method": "GET", "root_path": "", "headers": []}
        assert any(route.matches(scope)[0] is not Match.NONE for route in routes), path


def headers(text: str) -> set[str]:
    return {name.lower().replace("_", "-") for name in HEADER.findall(text)}


def test_every_header_of_this_proxy_is_documented_and_no_other() -> None:
    code = headers("\n".join(SOURCES.values()))
    assert {"x-costeer-profile", "x-costeer-steered"} <= code
    assert headers(DOCUMENT.replace("X-CoSteer-*", "")) == code
    assert headers(section("Headers")) == code


@pytest.mark.parametrize("name", [*origins.EXPOSED, *isolation.HEADERS, *isolation.NOT_KEPT])
def test_every_header_that_answers_have_is_listed(name: str) -> None:
    assert any(listed.partition(":")[0] == name for listed in first_names(section("Headers")))


def test_every_field_of_a_chat_request_is_documented_once_and_no_other() -> None:
    assert sorted(first_names(between("fields"))) == sorted(ChatRequest.model_fields)


def test_every_field_of_a_request_for_a_response_is_documented_once_and_no_other() -> None:
    assert sorted(first_names(between("response fields"))) == sorted(ResponseRequest.model_fields)


def test_every_kind_of_item_is_documented_and_no_other() -> None:
    assert [CODE.findall(row[0])[0] for row in rows(section("Items", "###"))] == list(ITEMS)


def test_the_bounds_of_what_is_kept_are_documented() -> None:
    text = " ".join(section("Kept responses", "###").split())
    assert f"at most {RESPONSES.most:,} responses and {(RESPONSES.most_bytes or 0) >> 20} MiB" in text


def test_every_key_of_messages_profiles_and_items_is_documented_and_no_other() -> None:
    assert sorted(first_names(section("Messages", "###"))) == sorted(ChatMessage.model_fields)
    profile = {"id", "name", "default", "strength", "record_history", "fields", "preferences", "disclosure"}
    assert profile == DocumentIn.model_fields.keys() - {"created_at", "updated_at", "history"}
    tables = first_names(section("Profiles"))
    assert [name for name in tables if " " not in name] == [
        n for n in DocumentIn.model_fields if n in profile
    ]
    items = [name for name in first_names(section("History")) if name.isidentifier()]
    assert sorted(items) == sorted(ItemIn.model_fields)


def test_every_name_that_is_taken_out_of_what_is_passed_on_is_documented() -> None:
    assert set(CODE.findall(section("Passed on"))) >= OWN | LABELS


def tree(kind: type[CoSteerError] = CoSteerError) -> Iterator[type[CoSteerError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


def listed_errors() -> list[tuple[list[str], str, str]]:
    return [(row[0].split(", "), row[1].strip("`"), row[2].strip("`")) for row in rows(between("errors"))]


def given_codes() -> set[str]:
    """What is given as `code=` in a call, anywhere in the product."""
    calls = [n for source in SOURCES.values() for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    given = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "code"]
    return {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}


@pytest.mark.parametrize("kind", [kind for kind in tree() if kind.code is not None])
def test_every_error_of_the_tree_is_documented(kind: type[CoSteerError]) -> None:
    found = [statuses for statuses, type_, code in listed_errors() if (type_, code) == (kind.type, kind.code)]
    assert found
    # The remote's own, whatever the class begins with.
    assert kind is RemoteRejected or any(str(kind.status) in statuses for statuses in found)


def test_every_other_code_is_documented_and_no_code_that_is_not_given() -> None:
    inside = {kind.code for kind in tree() if kind.code is not None}
    given = given_codes()
    assert {"not_found", "request_too_large", "remote_unauthorized"} <= given
    assert {code for _, _, code in listed_errors()} - {"null"} == inside | given


def keys(told: dict[str, Any]) -> set[str]:
    return set(told) | {key for one in told.values() if isinstance(one, dict) for key in one}


async def test_every_key_of_the_detail_is_documented(proxy: Proxy) -> None:
    reply = (await proxy.chat(profile="loud", costeer={"detail": True})).json()
    (choice,) = reply["choices"]
    documented = set(CODE.findall(section("Detail", "###")))
    assert keys(reply["costeer"]) | set(choice["costeer"]["tokens"][0]) <= documented
    assert {*reply, *choice} <= set(CODE.findall(DOCUMENT))
