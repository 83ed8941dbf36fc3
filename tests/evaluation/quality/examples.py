"""Cases, texts that were read and replies, with figures that can be worked out by hand."""

from app.evaluation.quality.cases import Case
from app.evaluation.quality.forced import TEMPERATURES, Forced
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.evaluation.quality.writing import Written
from app.profiles.profile import Profile
from app.prompts.message import Message

CASES = [
    Case(name, (Message("user", "Say it."),), Profile(name, name, ()), (), "The boat leaves at seven.")
    for name in ("a", "b", "c")
]


def forced(case: str, alone: float = 3.0) -> Forced:
    def around(best: int, nll: float) -> tuple[float, ...]:
        return tuple(nll + 0.01 * abs(number - best) for number in range(len(TEMPERATURES)))

    nll = {
        REMOTE_ALONE: around(2, alone),
        "strength 1": around(1, alone - 0.1),
        SHOWN: around(0, alone - 0.4),
    }
    return Forced(case, 100, nll)


def written(case: str, system: str, alone: float, shown: float, text: str = "Boats leave.") -> Written:
    return Written(case, system, text, 11, 2.0, 1, alone, shown)
