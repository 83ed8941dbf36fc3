"""GET /: the page and its files, as they are served."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from conftest import Proxy

FOLDER = Path(str(files("app") / "web"))
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@pytest.mark.parametrize("path", ["/", *(f"/web/{name}" for name in FILES)])
async def test_each_file_is_served_as_what_it_is_and_bound_to_this_server(proxy: Proxy, path: str) -> None:
    answer = await proxy.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(TYPES[Path(path).suffix or ".html"])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = dict(one.strip().split(" ", 1) for one in answer.headers["Content-Security-Policy"].split(";"))
    assert policy.pop("trusted-types") == policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'", "'script'"}
    assert (await proxy.client.head(path)).status_code == 200
    again = await proxy.client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 or path == "/"


async def test_the_page_needs_no_key_though_all_else_does(proxy: Proxy) -> None:
    proxy.store.keys.create("admin", None)
    assert (await proxy.client.get("/")).status_code == 200
    assert (await proxy.client.get("/web/js/main.js")).status_code == 200
    assert (await proxy.client.get("/v1/profiles")).status_code == 401


@pytest.mark.parametrize(
    "path", ["/web/../main.py", "/web/%2e%2e/main.py", "/web/..%2fmain.py", "/web//etc/passwd", "/web/js"]
)
async def test_nothing_but_files_of_the_page_is_served(proxy: Proxy, path: str) -> None:
    assert (await proxy.client.get(path)).status_code == 404


async def test_a_file_is_only_read(proxy: Proxy) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = await proxy.client.request(method, "/web/js/main.js")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("name", FILES)
def test_no_file_refers_to_another_host_or_makes_markup_of_texts(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'`<)]+", text))
    assert {one for one in addresses if not one.startswith("http://www.w3.org/")} <= {
        "http://127.0.0.1:8000/v1"
    }
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
    assert "@import" not in text
    assert not re.search(r"localStorage|document\.cookie", text)
