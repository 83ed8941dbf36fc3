"""A profile of a test's own, and its page."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from playwright.sync_api import Page, expect

from page.server import Server

NUMBERS = count(1)


@dataclass(frozen=True)
class Person:
    """A profile on a server."""

    server: Server
    id: str
    name: str

    @property
    def path(self) -> str:
        return f"/v1/profiles/{self.id}"

    def read(self) -> dict[str, Any]:
        told: dict[str, Any] = self.server.api("GET", self.path)
        return told

    def texts(self) -> list[dict[str, Any]]:
        """Those of the newest page."""
        found: list[dict[str, Any]] = self.server.api("GET", f"{self.path}/history?limit=100")["data"]
        return found

    def wrote(self, *texts: str | dict[str, Any]) -> None:
        items = [{"text": one} if isinstance(one, str) else one for one in texts]
        self.server.api("POST", f"{self.path}/history", items)


def made_person(server: Server, name: str = "Mara Lind", **fields: Any) -> Person:
    """A new profile. Its name ends in a number, so that a list has it once."""
    number = next(NUMBERS)
    person = Person(server, f"test-{number}", f"{name} {number}")
    server.api("POST", "/v1/profiles", {"id": person.id, "name": person.name, **fields})
    return person


def opened(page: Page, person: Person, tab: str) -> None:
    """Opens a tab of the person's page, by clicks."""
    page.goto(f"{person.server.url}/#people")
    page.reload()
    # Others may have been made since: the list is read anew.
    page.get_by_role("main").get_by_role("button", name=person.name).click()
    expect(page.get_by_role("heading", level=1, name=person.name)).to_be_visible()
    page.get_by_role("tab", name=tab, exact=True).click()
