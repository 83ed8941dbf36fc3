"""How a person writes, by plain counting: what most of their texts have, as a preference or a field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.disclosure.words import words
from app.proposals.proposal import Proposal
from app.proposals.sentences import LONGEST, Sentence, lines, one_line, sentences

# Fewer texts, or texts of fewer words, say nothing of a habit.
FEWEST_TEXTS, FEWEST_WORDS = 3, 150
# The share of texts that make a habit, and that of texts which end with the same words.
SHARE, SIGNED = 0.75, 0.5
# Words of a sentence, in the mean: fewer are short sentences, more are long ones.
SHORT, LONG = 11.0, 26.0
# Times that a spelling has to be seen, and how often it has to be this one.
SPELLED, SURE = 3, 0.9
SIGN_LINES, SIGN_LENGTH, SIGN_WORDS = 3, 60, 12
# Words of a line that signs a text, behind its last sentence.
SIGNED_WORDS = 5
SIGN_OFF = "signs_off"

EXCLAMATION = re.compile(r"!")
EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
HASHTAG = re.compile(r"(?:^|(?<=\s))#[^\W\d_]\w+")
NUMBERED = re.compile(r"^\d{1,3}[.)/]\s", re.MULTILINE)
BULLET = re.compile(r"^[-*•]\s", re.MULTILINE)
GREETING = re.compile(
    r"(?:my )?(?:dears?|hi|hello|hey|good (?:morning|afternoon|evening)|greetings|liebe[rs]?|hallo|guten tag"
    r"|ch[eè]re?s?|bonjour|querid[oa]s?|hola|car[oa]|ciao|kj[æe]re|hei|hej|beste)\b[^.?]{0,40}[,!:]?$",
    re.IGNORECASE,
)
CONTRACTION = re.compile(
    r"\b(?:I['’](?:m|ve|d|ll)|(?:do|does|did|is|are|was|were|wo|ca|could|would|should|has|have|had)n['’]t"  # noqa: RUF001
    r"|(?:it|that|there|he|she|what|let)['’]s|(?:you|we|they)['’](?:re|ve|ll|d))\b",  # noqa: RUF001
    re.IGNORECASE,
)
WRITTEN_OUT = re.compile(
    r"\b(?:I am|(?:do|does|did|is|are|was|were|has|have|had|could|would|should) not|cannot|will not)\b",
    re.IGNORECASE,
)
# Stems that the two spellings write differently; British first.
SPELLINGS = (
    r"(?:col|hon|lab|neighb|fav|harb|behavi|flav|hum|rum|vap|arm|glam|vig|end(?=eav))our|\b(?:theat|cent|met|lit"
    r"|fib)res?\b|\b(?:travel|cancel|label|model|counsel|marvel)l(?:ed|ing|ers?)\b|\bgrey|\bjewellery|\bmould"
    r"|\b(?:organ|real|recogn|apolog|emphas|special|minim|maxim|personal)is(?:e|ed|es|ing|ation)\b"
    r"|\banalys(?:e|ed|es|ing)\b|\b(?:cosy|tyres?|kerb|pyjamas|programmes?|cheques?|whilst|aeroplane)\b",
    r"(?:col|hon|lab|neighb|fav|harb|behavi|flav|hum|rum|vap|arm|glam|vig|end(?=eav))or(?!ous|ary|ific|at)"
    r"|\b(?:theat|cent|met|lit|fib)ers?\b|\b(?:travel|cancel|label|model|counsel|marvel)(?:ed|ing|ers?)\b|\bgray"
    r"|\bjewelry|\bmold|\b(?:organ|real|recogn|apolog|emphas|special|minim|maxim|personal)iz(?:e|ed|es|ing|ation)\b"
    r"|\banalyz(?:e|ed|es|ing)\b|\b(?:cozy|curb|pajamas|airplane)\b",
)
BRITISH, AMERICAN = (re.compile(one, re.IGNORECASE) for one in SPELLINGS)


@dataclass(frozen=True, slots=True)
class Habit:
    """A preference that most texts decide: those in which `found` finds something; with `none`, nothing."""

    value: str
    opposite: str
    found: re.Pattern[str]
    none: bool = False
    share: float = SHARE


HABITS = (
    Habit("Use no exclamation marks.", "Use exclamation marks.", EXCLAMATION, none=True, share=1.0),
    Habit("Use exclamation marks.", "Use no exclamation marks.", EXCLAMATION),
    Habit("Use emoji.", "Use no emoji.", EMOJI),
    Habit("Use hashtags.", "Use no hashtags.", HASHTAG),
    Habit("Number the points.", "Write running text.", NUMBERED),
    Habit("List points with bullets.", "Write running text.", BULLET),
)

Text = tuple[int, str]


def habits(texts: Sequence[Text]) -> list[Proposal]:
    """What clean texts, each with its item's id, have in common. Texts of one item count as one."""
    texts = [one for one in texts if any(sentences([one]))]
    found = list(_sign_off(texts))
    if len(texts) >= FEWEST_TEXTS and sum(len(text.split()) for _, text in texts) >= FEWEST_WORDS:
        for habit in HABITS:
            found += _of_texts(texts, habit)
        found += [*_greeting(texts), *_question(texts), *_length(texts), *_contractions(texts)]
    return [*found, *_spelling(texts)]


def _of_texts(texts: Sequence[Text], habit: Habit) -> Iterator[Proposal]:
    places = [(item_id, text, habit.found.search(text)) for item_id, text in texts]
    having = [one for one in places if (one[2] is None) == habit.none]
    share = len(having) / len(texts)
    if share < habit.share:
        return
    item_id, text, _ = having[0]
    passage = next(sentences([(0, text)])).text if habit.none else _passage(text, habit.found)
    mark = None if habit.none else habit.found.search(passage)
    yield _preference(habit.value, habit.opposite, item_id, passage, share, len(having), mark)


def _sign_off(texts: Sequence[Text]) -> Iterator[Proposal]:
    """The same last lines of many texts, as many lines as they have in common."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[int, str]] = {}
    for item_id, text in texts:
        last = lines(text)[-SIGN_LINES:]
        # By its words, and so once, where a line above has none.
        ends: dict[str, str] = {}
        for begin in range(len(last)):
            signed = last[begin:]
            joined = " ".join(signed)
            if all(len(one) <= SIGN_LENGTH for one in signed) and _signs(joined):
                ends[" ".join(words(joined))] = joined
        counts.update(ends.keys())
        for said, joined in ends.items():
            first.setdefault(said, (item_id, joined))
    likely = [one for one, count in counts.items() if count >= 2 and count >= SIGNED * len(texts)]
    if likely:
        # The longest that is as frequent as any: "Mind how you go. Your loving Grandad".
        most = max(counts[one] for one in likely)
        item_id, value = first[max((one for one in likely if counts[one] == most), key=len)]
        share = most / len(texts)
        yield Proposal("field", SIGN_OFF, value, value, 0, len(value), item_id, share, most)


def _signs(value: str) -> bool:
    run = words(value)
    spoken = any(len(one) > 1 and one.isalpha() for one in run)
    return spoken and len(run) <= SIGN_WORDS and not HASHTAG.search(value)


def _greeting(texts: Sequence[Text]) -> Iterator[Proposal]:
    firsts = [(item_id, one) for item_id, text in texts for one in lines(text)[:1]]
    greeted = [one for one in firsts if len(one[1]) <= SIGN_LENGTH and GREETING.match(one[1])]
    if (share := len(greeted) / len(texts)) >= SHARE:
        item_id, line = greeted[0]
        yield Proposal(
            "preference",
            "",
            "Begin with a greeting.",
            line,
            0,
            len(line),
            item_id,
            share,
            len(greeted),
            "Begin without a greeting.",
        )


def _question(texts: Sequence[Text]) -> Iterator[Proposal]:
    """Texts whose last sentence is a question, but for how they are signed."""
    asking = []
    for item_id, text in texts:
        last = [one.text for one in sentences([(item_id, text)])][-SIGN_LINES:]
        while last and len(last[-1].split()) <= SIGNED_WORDS and not last[-1].endswith("?"):
            last.pop()
        if last and last[-1].endswith("?"):
            asking.append((item_id, last[-1]))
    if (share := len(asking) / len(texts)) >= SHARE:
        item_id, passage = asking[0]
        yield Proposal(
            "preference",
            "",
            "End with a question.",
            passage,
            0,
            len(passage),
            item_id,
            share,
            len(asking),
            "End without a question.",
        )


def _length(texts: Sequence[Text]) -> Iterator[Proposal]:
    spoken = [[*sentences([one])] for one in texts]
    lengths = [[len(one.text.split()) for one in each] for each in spoken]
    every = [one for each in lengths for one in each if one > 1]
    if not every:
        return
    mean = sum(every) / len(every)
    short, long = "Write short sentences.", "Write long sentences."
    if SHORT < mean < LONG:
        return
    value, opposite = (short, long) if mean <= SHORT else (long, short)

    def fits(each: list[int]) -> bool:
        own = sum(each) / max(1, len(each))
        return own <= SHORT if mean <= SHORT else own >= LONG

    count = sum(map(fits, lengths))
    if (share := count / len(texts)) < SHARE:
        return
    pick: Callable[[Sentence], int] = lambda one: abs(len(one.text.split()) - round(mean))  # noqa: E731
    shown = min((one for each in spoken for one in each), key=pick)
    yield _preference(value, opposite, shown.item_id, shown.text, share, count)


def _contractions(texts: Sequence[Text]) -> Iterator[Proposal]:
    yield from _one_of_two(
        texts,
        (CONTRACTION, WRITTEN_OUT),
        ("Use contractions, like don't.", "Use no contractions: do not, in place of don't."),
        fewest=2 * SPELLED,
    )


def _spelling(texts: Sequence[Text]) -> Iterator[Proposal]:
    yield from _one_of_two(
        texts, (BRITISH, AMERICAN), ("Use British spelling.", "Use American spelling."), fewest=SPELLED
    )


def _one_of_two(
    texts: Sequence[Text],
    patterns: tuple[re.Pattern[str], re.Pattern[str]],
    values: tuple[str, str],
    *,
    fewest: int,
) -> Iterator[Proposal]:
    counts = [sum(len(one.findall(text)) for _, text in texts) for one in patterns]
    seen = sum(counts)
    for own in (0, 1):
        if counts[own] < fewest or counts[own] < SURE * seen:
            continue
        having = [one for one in texts if patterns[own].search(one[1])]
        if len(having) < 2:
            continue
        item_id, text = having[0]
        passage = _passage(text, patterns[own])
        mark = patterns[own].search(passage)
        yield _preference(
            values[own], values[1 - own], item_id, passage, counts[own] / seen, len(having), mark
        )


def _preference(  # noqa: PLR0917
    value: str,
    opposite: str,
    item_id: int,
    passage: str,
    share: float,
    count: int,
    mark: re.Match[str] | None = None,
) -> Proposal:
    start, end = mark.span() if mark is not None else (0, len(passage))
    return Proposal("preference", "", value, passage, start, end, item_id, share, count, opposite)


def _passage(text: str, pattern: re.Pattern[str]) -> str:
    """The first sentence in which a pattern finds something, else its line; at most LONGEST characters."""
    for one in sentences([(0, text)]):
        if pattern.search(one.text):
            return one.text
    place = pattern.search(text)
    start = text.rfind("\n", 0, place.start()) + 1 if place is not None else 0
    return one_line(text[start : start + LONGEST].partition("\n")[0])
