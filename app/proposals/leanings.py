"""How a person writes, in words that the small model finds to fit their texts better than ordinary ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, inf, sqrt

from app.profiles.profile import Preference

# Standard errors that a mean has to be above 0.
ERRORS = 2.2


@dataclass(frozen=True, slots=True)
class Leaning:
    """A preference that the small model decides, by whether the word `is` describes texts better than the
    word `is_not`. `least`: by how much, in nats, beyond what it does of ordinary texts."""

    text: str
    opposite: str
    is_: str
    is_not: str
    least: float = 1.5

    @property
    def preference(self) -> Preference:
        """As a profile has it."""
        return Preference(self.text, self.opposite)


LEANINGS = (
    Leaning("Write warmly.", "Write coolly, from a distance.", "warm", "cold"),
    Leaning("Write with humour.", "Write in earnest, without humour.", "humorous", "serious"),
    Leaning("Write formally.", "Write casually.", "formal", "casual"),
    Leaning("Write casually.", "Write formally.", "casual", "formal"),
    Leaning(
        "Use rich, figurative language.", "Use plain words, without images.", "poetic", "plain", least=2.5
    ),
    Leaning("Use plain, everyday words.", "Use rare and ornate words.", "simple", "elaborate"),
    Leaning("Use technical terms.", "Use no technical terms.", "technical", "personal"),
    Leaning("Be enthusiastic.", "Be sober and restrained.", "enthusiastic", "restrained"),
)

# What ordinary writing is like, to compare with: what the model says of any text says nothing of a person.
ORDINARY = (
    "The meeting will take place on Tuesday in the small room on the second floor. We will go through "
    "the list from last time and decide who does what. Please let me know if you cannot come, and send "
    "me your points.",
    "We went to the lake on Saturday and stayed until the evening. The water was still cold, but the "
    "sun came out after lunch, and the children played on the shore. On Sunday we were at home and did "
    "not do very much.",
    "I bought this lamp two months ago for the desk. It gives enough light, and it is easy to move. The "
    "switch is a little stiff. For the price it is good, and I would probably buy it again.",
    "Thank you for your message. I have looked at the papers and have two questions about the second "
    "page. Could you tell me who wrote it, and when you need my answer? I am in the office until "
    "Friday.",
    "The new library opens next month. It has more room for readers than the old one, and it stays open "
    "later in the week. The town has paid for most of it, and the rest came from gifts.",
    "To change the filter, turn off the machine and open the lid. Take out the old filter and put in "
    "the new one. Close the lid and let the machine run with water once before you use it again.",
)


@dataclass(frozen=True, slots=True)
class Weighed:
    """By how much a word fits a person's texts better than ordinary ones, in nats: the mean, its standard
    error, and the place of the text that it fits best."""

    gain: float
    error: float
    best: int

    def holds(self, least: float) -> bool:
        """Whether the gain is large enough, and above 0 by more than chance."""
        return self.gain >= least and self.gain > ERRORS * self.error

    @property
    def confidence(self) -> float:
        """The probability that the mean is above 0, were it normal."""
        if self.error == 0:
            return 1.0 if self.gain > 0 else 0.0
        return (1 + erf(self.gain / self.error / sqrt(2))) / 2


def weighed(own: Sequence[float], ordinary: Sequence[float]) -> Weighed:
    """Compares how a word fits a person's texts with how it fits ordinary ones; at least two of each."""
    if min(len(own), len(ordinary)) < 2:
        return Weighed(0.0, inf, 0)
    means, errors = zip(*map(_mean, (own, ordinary)), strict=True)
    best = max(range(len(own)), key=lambda one: own[one])
    return Weighed(means[0] - means[1], sqrt(errors[0] ** 2 + errors[1] ** 2), best)


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and its standard error."""
    mean = sum(values) / len(values)
    variance = sum((one - mean) ** 2 for one in values) / (len(values) - 1)
    return mean, sqrt(variance / len(values))
