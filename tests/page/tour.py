"""Through the whole page, as somebody who looks at everything."""

from __future__ import annotations

from playwright.sync_api import Page, expect

VIEWS = ("Try", "People", "Keys", "State")


def tour(page: Page) -> None:
    """Goes through all views, opens the first profile there, and looks at each of its tabs."""
    for view in VIEWS:
        page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
        expect(page.get_by_role("heading", level=1).filter(visible=True).first).to_be_visible()
        page.wait_for_load_state("networkidle")
        if view == "State":
            expect(page.get_by_role("button", name="Examine again")).to_be_visible(timeout=60_000)
        if view != "People":
            continue
        page.locator("[data-profile]").first.click()
        tabs = page.get_by_role("tab").filter(visible=True)
        expect(tabs.first).to_be_visible()
        for tab in tabs.all():
            tab.click()
            page.wait_for_load_state("networkidle")
            for closed in page.locator("details:visible").all():
                closed.locator("summary").first.click()
