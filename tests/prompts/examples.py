"""People to read of: one by hand, and many at random."""

from __future__ import annotations

from fakes import as_hits
from hypothesis import strategies as st

from app.profiles.profile import HistoryItem, Preference, Profile
from app.prompts.private import PrivateContext

ANNA = Profile(
    id="anna",
    name="Anna Ek",
    fields=(("occupation", "Nurse"), ("writing_style", "Short"), ("favourite_food", "Soup")),
)
HISTORY = as_hits(
    [
        HistoryItem("Shift", "A long night.", request="How was the shift?"),
        HistoryItem("Lunch", "Soup again."),
        HistoryItem("", "No title here."),
        HistoryItem("", "Rain.", "turn", request="What of the weather?"),
    ]
)
PREFERENCES = (Preference("Be brief.", "Be thorough."), Preference("Joke."), Preference("Hum.", "Bark."))
PERSON = PrivateContext(ANNA, HISTORY, PREFERENCES)
TEXT = st.text("abc de\n", min_size=1, max_size=30)
PROFILES = st.builds(
    Profile,
    id=st.just("someone"),
    name=TEXT,
    fields=st.dictionaries(TEXT, TEXT, max_size=5).map(lambda fields: tuple(fields.items())),
)
HISTORIES = st.lists(
    st.builds(HistoryItem, title=st.just("") | TEXT, text=TEXT, request=st.just("") | TEXT), max_size=4
).map(as_hits)
WISHES = st.lists(
    st.builds(Preference, TEXT, st.just("") | TEXT), max_size=3, unique_by=lambda one: one.text
).map(tuple)
PEOPLE = st.builds(PrivateContext, st.none() | PROFILES, HISTORIES, WISHES)
