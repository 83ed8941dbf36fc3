"""Prints what the page weighs, how soon it answers, and how smoothly it draws.

In tests: `python -m page.measure`.
"""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from page.chromium import ARGUMENTS, executable
from page.server import ROOT, serving
from page.streams import answer_with, reply, token

TOKENS = 2000
MARKS: tuple[dict[str, Any], ...] = (
    {},
    {"nats": 0.2},
    {},
    {"nats": 0.7},
    {},
    {"nats": 2.0, "drafted": " other"},
    {},
    {"held_back": True},
    {},
)
WORDS = ("The", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "and", "cats")
SENT = """
() => {
  const all = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
  return [all.reduce((sum, one) => sum + one.transferSize, 0), all.length];
}
"""
FRAMES = """
() => {
  window.frames_seen = [];
  const seen = (at) => { window.frames_seen.push(at); requestAnimationFrame(seen); };
  requestAnimationFrame(seen);
}
"""


def main() -> None:
    """Weigh the files, then measure in a real browser, against the real server."""
    files = [one for one in (ROOT / "app" / "web").rglob("*") if one.is_file()]
    print(f"all files: {sum(one.stat().st_size for one in files):,} bytes, {len(files)} files")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        server.costeer("profiles", "samples", "--import")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
            for width, height in ((360, 740), (1280, 800)):
                print(f"at {width} px:")
                _first_word(browser, server.url, width, height)
                _frames(browser, server.url, width, height)
            browser.close()


def _opened(browser: Browser, url: str, width: int, height: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(url)
    return page


def _first_word(browser: Browser, url: str, width: int, height: int) -> None:
    """From opening / to the first word of the first reply, with a question typed in between."""
    began = time.monotonic()
    page = _opened(browser, url, width, height)
    page.get_by_label("Message").fill("Hello")
    ready = time.monotonic() - began
    sent, count = page.evaluate(SENT)
    print(f"  / is there after {sent:,} bytes in {count} requests, the API's among them")
    page.get_by_role("button", name="Send").click()
    page.locator(".reply .w").first.wait_for(state="attached")
    print(f"  first word after {time.monotonic() - began:.2f} s, of which the page {ready:.2f} s")
    page.close()


def _frames(browser: Browser, url: str, width: int, height: int) -> None:
    """While three columns stream, each 2,000 tokens with detail at 100 a second."""
    page = _opened(browser, url, width, height)
    page.get_by_role("button", name="Add column").click()
    words = [WORDS[at % len(WORDS)] for at in range(TOKENS)]
    texts = [f" {word}" + ("\n\n" if at % 120 == 119 else "") for at, word in enumerate(words)]
    chunks = reply(*((text, token(text, **MARKS[at % len(MARKS)])) for at, text in enumerate(texts)))
    answer_with(page, chunks, pace=2)
    page.evaluate(FRAMES)
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Three replies are finished.")).to_be_visible(timeout=300_000)
    seen: list[float] = page.evaluate("window.frames_seen")
    seconds = (seen[-1] - seen[0]) / 1000
    gaps = sorted(after - before for before, after in pairwise(seen))
    late = gaps[int(len(gaps) * 0.99)]
    print(
        f"  {3 * TOKENS:,} tokens in {seconds:.1f} s: {len(gaps) / seconds:.0f} frames a second; "
        f"of a hundred frames the slowest {late:.0f} ms, of all {gaps[-1]:.0f} ms"
    )
    page.close()


if __name__ == "__main__":
    main()
