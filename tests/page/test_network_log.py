"""A whole session asks this server and nobody else, by the browser's own log."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from page.chromium import ARGUMENTS, executable
from page.network_log import read_network_log
from page.server import Server
from page.tour import tour

# What the browser wants for itself fails before it is asked for, so that all that is left is the page's.
NOBODY_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def test_no_request_leaves_the_machine(browser: Browser, server: Server, tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    watched = browser.browser_type.launch(
        executable_path=executable(), args=[*ARGUMENTS, NOBODY_ELSE, f"--log-net-log={log}"]
    )
    page = watched.new_page()
    page.goto(server.url)
    page.get_by_role("textbox", name="Message").fill("Write a short note.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="What left")).to_have_count(2, timeout=120_000)
    page.get_by_role("button", name="What left").last.click()
    page.get_by_role("button", name="Close").click()
    tour(page)
    watched.close()

    found = read_network_log(log)
    host = urlsplit(server.url).netloc
    paths = {urlsplit(one).path for one in found.requests}
    assert {"/", "/web/js/main.js", "/v1/chat/completions", "/v1/keys", "/v1/doctor", "/ready"} <= paths
    assert {one for one in found.requests if urlsplit(one).netloc != host} == set()
    assert found.connections == {host}
    assert found.datagrams == 0
