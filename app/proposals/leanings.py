"""How replies should be, by likelihood: which preferences make a person's own texts likelier than others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, inf, sqrt

from app.profiles.profile import Preference

# Standard errors of the mean that its gain has to be above what it takes.
ERRORS = 1.3


@dataclass(frozen=True, slots=True)
class Leaning:
    """A preference that the small model weighs. `least`: by how much it has to make the texts likelier, in
    nats per token, beyond what it does for ordinary ones."""

    text: str
    opposite: str
    least: float = 0.02

    @property
    def preference(self) -> Preference:
        """As a profile has it."""
        return Preference(self.text, self.opposite)


LEANINGS = (
    Leaning("Write warmly.", "Write coolly, from a distance."),
    Leaning("Write with dry humour.", "Write in earnest, without humour."),
    Leaning("Write formally.", "Write casually."),
    Leaning("Write casually.", "Write formally."),
    Leaning("Use plain, everyday words.", "Use rare and ornate words."),
    Leaning("Use rich, figurative language.", "Use plain words, without images."),
    Leaning("Give exact numbers and names.", "Stay general, without numbers."),
    Leaning("Use technical terms.", "Use no technical terms."),
    Leaning("Tell stories.", "State facts, without stories."),
    Leaning("Be enthusiastic.", "Be sober and restrained."),
)

# What ordinary writing is like, to compare with: what a preference does to any text says nothing of a person.
ORDINARY = (
    (
        "Write about the meeting.",
        "The meeting will take place on Tuesday in the small room on the second floor. We will go through the "
        "list from last time and decide who does what. Please let me know if you cannot come, and send me your "
        "points in advance.",
    ),
    (
        "Write a short note about the weekend.",
        "We went to the lake on Saturday and stayed until the evening. The water was still cold, but the sun "
        "came out after lunch, and the children played on the shore. On Sunday we were at home and did not do "
        "very much.",
    ),
    (
        "Write a review.",
        "I bought this lamp two months ago for the desk. It gives enough light, and it is easy to move. The "
        "switch is a little stiff. For the price it is good, and I would probably buy it again.",
    ),
)


@dataclass(frozen=True, slots=True)
class Weighed:
    """The mean of what a preference adds to the likelihood of texts, beyond ordinary ones, in nats per token;
    its standard error, and the place of the text where it adds most."""

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


def weighed(gains: Sequence[float], ordinary: Sequence[float]) -> Weighed:
    """Compares what a preference adds to a person's texts, at least two, with what it adds to ordinary ones."""
    if len(gains) < 2:
        return Weighed(0.0, inf, 0)
    means, errors = zip(*map(_mean, (gains, ordinary)), strict=True)
    best = max(range(len(gains)), key=lambda one: gains[one])
    return Weighed(means[0] - means[1], sqrt(errors[0] ** 2 + errors[1] ** 2), best)


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and its standard error."""
    mean = sum(values) / len(values)
    variance = sum((one - mean) ** 2 for one in values) / max(1, len(values) - 1)
    return mean, sqrt(variance / len(values))
