"""/docs: everything is documented, and nothing on the page comes from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from conftest import Proxy


async def spec(proxy: Proxy) -> dict[str, Any]:
    document: dict[str, Any] = (await proxy.client.get("/openapi.json")).json()
    return document


async def test_the_page_refers_to_nothing_outside(proxy: Proxy) -> None:
    page = await proxy.client.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text
    references = re.findall(r'(?:src|href|url)(?:=|: )"([^"]*)"', page.text)
    assert len(references) == 4
    for path in references:
        assert path.startswith("/")
        assert (await proxy.client.get(path)).status_code == 200, path


async def test_the_style_sheet_refers_to_nothing_outside(proxy: Proxy) -> None:
    css = (await proxy.client.get("/docs/assets/swagger-ui.css")).text
    assert all(url.startswith("data:") for url in re.findall(r"url\([\"']?([^)]*)", css))
    assert "@import" not in css


async def test_the_browser_is_told_to_run_and_to_reach_nothing_else(proxy: Proxy) -> None:
    page = await proxy.client.get("/docs")
    policy = dict(one.strip().split(" ", 1) for one in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    (inline,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"


async def test_the_framework_s_own_pages_are_gone(proxy: Proxy) -> None:
    """They load scripts of a CDN."""
    assert (await proxy.client.get("/redoc")).status_code == 404


async def test_every_route_is_described(proxy: Proxy) -> None:
    for path, methods in (await spec(proxy))["paths"].items():
        for method, route in methods.items():
            assert route["tags"], (method, path)
            assert route["summary"], (method, path)
            refused = route["responses"]["4XX"]["content"]["application/json"]["schema"]
            assert refused == {"$ref": "#/components/schemas/Failure"}
            assert "422" not in route["responses"]
            (answer,) = {s for s in route["responses"] if s in {"200", "201"}} - (
                {"200"} if path.endswith("import") else set()
            )
            if path.startswith("/v1/profiles"):
                assert route["responses"][answer]["content"]["application/json"]["schema"], (method, path)
                if method in {"post", "patch"}:
                    assert route["requestBody"]["content"], (method, path)
            if path.startswith("/v1/"):
                assert route["security"] == [{}, {"HTTPBearer": []}], "a key may be sent, and need not be"


async def test_the_types_of_an_upload_are_listed(proxy: Proxy) -> None:
    route = (await spec(proxy))["paths"]["/v1/profiles/{profile_id}/history"]["post"]
    taken = route["requestBody"]["content"]
    lines, text = ["application/jsonl", "application/x-ndjson"], ["text/plain", "text/markdown"]
    assert list(taken) == ["application/json", *lines, *text]
    assert taken["application/json"]["schema"]["anyOf"][0]["required"] == ["text"]


async def test_trying_out_a_change_proposes_no_values(proxy: Proxy) -> None:
    """The page fills its editor with the defaults, and what is sent overwrites what is there."""
    paths = (await spec(proxy))["paths"]
    patches = [path for path, methods in paths.items() if "patch" in methods]
    assert len(patches) == 2
    for path in patches:
        for content in paths[path]["patch"]["requestBody"]["content"].values():
            fields = content["schema"]["properties"]
            assert fields
            assert not any("default" in field for field in fields.values())


async def test_text_that_must_not_be_blank_is_described_so(proxy: Proxy) -> None:
    paths = (await spec(proxy))["paths"]
    profile = paths["/v1/profiles"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert re.search(profile["properties"]["name"]["pattern"], " \t\n") is None
    assert re.search(profile["properties"]["name"]["pattern"], " a ") is not None
    (query, _) = (
        one
        for one in paths["/v1/profiles/{profile_id}/history/search"]["get"]["parameters"]
        if one["in"] == "query"
    )
    assert re.search(query["schema"]["pattern"], " ") is None


async def test_a_strength_is_described_with_both_kinds_wherever_it_is_taken(proxy: Proxy) -> None:
    document = await spec(proxy)
    paths, parts = document["paths"], document["components"]["schemas"]
    kinds = [{"type": "number", "minimum": 0, "maximum": 4}, {"type": "string", "const": "auto"}]
    for method, path in [
        ("post", "/v1/chat/completions"),
        ("post", "/v1/profiles"),
        ("patch", "/v1/profiles/{profile_id}"),
        ("post", "/v1/profiles/import"),
        ("post", "/v1/profiles/{profile_id}/preview"),
    ]:
        taken = paths[path][method]["requestBody"]["content"]["application/json"]["schema"]
        strength = taken["properties"]["strength"]
        assert strength["anyOf"] == [*kinds, {"type": "null"}], path
        assert strength["description"] == 'a number from 0 to 4, or "auto"'
    for name in ("ProfileOut", "Preview"):
        shown = parts[name]["properties"]["strength"]["anyOf"]
        assert {"number", "string"} <= {kind["type"] for kind in shown}, name


async def test_no_schema_points_to_a_place_that_is_not_there(proxy: Proxy) -> None:
    document = await spec(proxy)
    known = document["components"]["schemas"]
    for name in re.findall(r"'\$ref': '([^']*)'", str(document)):
        assert name.removeprefix("#/components/schemas/") in known
