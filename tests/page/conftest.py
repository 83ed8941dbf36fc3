"""A real server and a real browser. Each test of `page` runs at the width of a phone and of a laptop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from page.chromium import ARGUMENTS, executable
from page.server import Server, serving

HERE = Path(__file__).parent
SIZES = {"phone": (360, 740), "laptop": (1280, 800)}
# What axe holds the page to: WCAG 2.2 A and AA, and its best practices.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
REPORTS = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.reports.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
});
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("page")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests, with the sample profiles; a test that changes one makes its own."""
    with serving(tmp_path_factory.mktemp("data")) as server:
        server.costeer("profiles", "samples", "--import")
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return SIZES[request.param]


@pytest.fixture
def context(browser: Browser, size: tuple[int, int]) -> Iterator[BrowserContext]:
    """A new profile of the browser, at one of the sizes; the phone's has touch."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=width < 600, reduced_motion="reduce"
    )
    context.add_init_script(REPORTS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Iterator[Page]:
    """The page, open, and watched: see `watched`."""
    with watched(context.new_page(), server.url) as page:
        page.goto(server.url)
        yield page


class watched:  # noqa: N801  # used as a function is
    """Fails at the end for what a page must never do: an error of the script, a word on the console, a report
    of the policy, or a request to another host than the server's. Refusals that tests provoke are no errors.
    """

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._host, self.troubles = page, urlsplit(url).netloc, list[str]()
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("console", self._console)
        page.on("request", self._request)

    def __enter__(self) -> Page:
        return self._page

    def __exit__(self, *_: object) -> None:
        if not self._page.is_closed():
            self.troubles += self._page.evaluate("window.reports ?? []")
        assert self.troubles == []

    def _console(self, message: ConsoleMessage) -> None:
        if "Failed to load resource" not in message.text:
            self.troubles.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.netloc != self._host and address.scheme not in {"blob", "data"}:
            self.troubles.append(f"request: {request.url}")


@pytest.fixture
def accessible() -> Callable[[Page], None]:
    """Holds what is to be seen now to axe's rules, and to no sideways scrolling: from its top, and without
    the note at the foot of the window, which goes after seconds and covers a part of the page till then.
    """

    def check(page: Page) -> None:
        page.evaluate("document.querySelectorAll('.note').forEach((note) => { note.textContent = ''; })")
        page.evaluate("window.scrollTo(0, 0)")
        found = Axe().run(page, options=RULES)
        assert found.violations_count == 0, found.generate_report()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{wide} px wider than the window"

    return check
