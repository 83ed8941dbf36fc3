"""Moves on the page by the keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


def tab_to(page: Page, element: Locator, most: int = 120) -> None:
    """Presses Tab until the element has the focus, at most so many times."""
    for _ in range(most):
        if element.evaluate("(one) => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there")
