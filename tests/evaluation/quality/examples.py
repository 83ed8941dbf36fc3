"""Cases, texts that were read and replies, with figures that can be worked out by hand."""

from collections.abc import Mapping

from fakes import as_hits

from app.evaluation.quality.cases import Case
from app.evaluation.quality.forced import Forced
from app.evaluation.quality.likelihood import TEMPERATURES
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.evaluation.quality.strengths import Tried
from app.evaluation.quality.written import Written
from app.profiles.profile import HistoryItem, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateContext

CASES = [
    Case(
        name,
        (Message("user", "Say it."),),
        PrivateContext(Profile(name, name, (("style", "LOUD"),)), as_hits([HistoryItem("Old", "It sails.")])),
        "The boat leaves at seven.",
    )
    for name in ("a", "b", "c")
]
LETTER, HEADINGS = "letter", "headings"


def planned(*forms: str, against: str | None = None, count: int = 3) -> Plan:
    """The first so many of the cases, in these forms or the product's, with strength 1 beside the others."""
    strengths = (Tried("strength", 1.0),)
    return Plan(tuple(CASES[:count]), forms=forms or (LETTER,), strengths=strengths, against=against)


def forced(case: str, alone: float = 3.0, form: str = LETTER, gained: float = 0.1) -> Forced:
    def around(best: int, nll: float) -> tuple[float, ...]:
        return tuple(nll + 0.01 * abs(number - best) for number in range(len(TEMPERATURES)))

    nll = {
        REMOTE_ALONE: around(2, alone),
        SHOWN: around(0, alone - 4 * gained),
        "strength 1": around(1, alone - gained),
        "auto, top 20": around(1, alone - 2 * gained),
    }
    return Forced(case, form, 100, nll)


def written(
    case: str, system: str, alone: float, shown: float | Mapping[str, float], text: str = "Boats leave."
) -> Written:
    by_form = {LETTER: shown} if isinstance(shown, float) else dict(shown)
    return Written(case, system, text, 11, 2.0, 1, alone, by_form, requests=3)
