"""Two people to store."""

from __future__ import annotations

from app.profiles.profile import HistoryItem, Profile, ProfileDocument

ISABEL = ProfileDocument(
    Profile("isabel", "Isabel Martinez", (("writing_style", "playful"), ("occupation", "agent"))),
    (HistoryItem("Listing", "about the bay"), HistoryItem("", "about the dog")),
)
WALTER = ProfileDocument(Profile("walter", "Walter Pryce", is_default=True))
