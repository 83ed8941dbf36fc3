"""The catalogue of fields: how people say something of themselves, and what the small model is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.disclosure.identifiers import Found, identifiers

I_AM = r"\b(?:I am|I['’]m|I was|[Ww]e are|[Ww]e['’]re)"  # noqa: RUF001
I_HAVE = r"(?:\b(?:I|[Ww]e)(?:['’]ve| have)?(?: (?:also|always|really|just|now|still|mostly|usually))?)"  # noqa: RUF001
RELATIONS = (
    "wife|husband|partner|fianc[ée]e?|girlfriend|boyfriend|(?:grand|step|god)?(?:daughter|son|mother|father)s?"
    "|(?:half-|twin )?(?:sister|brother)s?|mum|mom|dad|(?:great-)?(?:aunt|uncle|niece|nephew|cousin)s?"
    "|grand(?:ma|pa|child|children|parents)|kids?|children|twins|(?:mother|father|sister|brother)-in-law"
)
ANIMALS = (
    "dogs?|cats?|pupp(?:y|ies)|kittens?|horses?|pon(?:y|ies)|rabbits?|hamsters?|parrots?|tortoise|hens|chickens"
    "|budgies?|goats?|terriers?|labradors?|spaniels?|greyhounds?|collies?|guinea pigs?"
)
LANGUAGES = (
    "English|German|French|Spanish|Italian|Portuguese|Dutch|Swedish|Norwegian|Danish|Finnish|Icelandic|Polish"
    "|Czech|Slovak|Hungarian|Romanian|Bulgarian|Greek|Turkish|Russian|Ukrainian|Arabic|Hebrew|Persian|Farsi"
    "|Hindi|Urdu|Bengali|Punjabi|Tamil|Mandarin|Cantonese|Chinese|Japanese|Korean|Vietnamese|Thai|Tagalog"
    "|Welsh|Irish|Gaelic|Catalan|Basque|Croatian|Serbian|Swahili|Yoruba|Igbo|Amharic|Latin|Esperanto"
)
# What people call themselves that is no work, and what with "of" is one: "a vessel of hope" is none.
NO_JOB = (
    r"[\w' -]{0,30}?\b(?:aficionado|participant|supporter|recipient|enthusiast|lover|admirer|believer"
    r"|advocate|citizen|resident|neighbou?r|human|parent|mother|father|mum|dad|friend|fan|member|guest|customer|reader"
    r"|witness|reminder|result|child|boy|girl|kid|vegetarian|vegan|journey|movement|whole|rule|bit|little|few"
    r"|lot|matter|speaker|hobbyist|amateur|volunteer|mentor|fool|kind|sage|active|beginner|stranger)\b"
    r"|(?![\w' -]*\b(?:professor|lecturer|teacher|doctor|student|head|director|manager|chief|president"
    r"|officer|secretary|owner|founder|master|bachelor) of\b)[\w'-]+(?: [\w'-]+){0,3} of\b"
)
# How a value may begin: with a name, with a number, with any word that says something.
Begins = Literal["name", "number", "word"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a profile could have. `cues` are patterns that end where the value begins, `search` the
    words that are looked for in a long history, `question` what the small model is asked about a sentence.
    A value has at most `longest` words; a field that is `many` holds several, others the likeliest."""

    key: str
    question: str
    search: str
    cues: Sequence[re.Pattern[str]]
    longest: int = 6
    begins: Begins = "word"
    many: bool = False
    # What the value has to be, as long as it can be: the small model does not choose its end.
    form: re.Pattern[str] | None = None
    # The least margin, in nats, by which the model may find it less likely than no answer: cues that are
    # seldom wrong need less of it.
    least: float = -4.5


def _cues(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


FIELDS = (
    Field(
        "occupation",
        "What does the writer do for a living?",
        "work job career profession living trained retired",
        _cues(
            rf"{I_AM} (?:now |still |currently )?(?:working as )?an? (?!{NO_JOB})(?=\w)",
            rf"{I_AM} (?=retired\b)",
            rf"{I_HAVE} (?:work(?:ed|s|ing)?|been working|been|served?|freelance|qualified|trained) as an? ",
            rf"(?:^|[,;—] ?)[Aa]s an? (?!{NO_JOB})(?=[\w' -]{{3,60}}, (?:I|my|I['’]m|I['’]ve)\b)",  # noqa: RUF001
            r"\b[Mm]y (?:job|work|career|life) as an? ",
            r"\b(?:I|[Ww]e) (?:run|own|manage) (?:an? |the |our )(?=[\w' -]*\b(?:shop|bakery|farm|practice"
            r"|clinic|studio|firm|business|company|restaurant|café|cafe|bookshop|garage|school|gallery|hotel)\b)",
        ),
        least=-6.5,
    ),
    Field(
        "employer",
        "Whom does the writer work for?",
        "work working works colleagues office employer started company",
        _cues(
            rf"{I_HAVE} (?:work(?:ed)?|been working) (?:at|for) (?:the )?",
            rf"{I_AM} (?:now |still )?working (?:at|for) (?:the )?",
            r"\b[Mm]y (?:job|work|desk|office|colleagues) at (?:the )?",
            r"\b(?:I|[Ww]e) (?:started|joined) (?:work )?(?:at )?(?:the )?(?=[A-Z])",
        ),
        begins="name",
    ),
    Field(
        "location",
        "Where does the writer live?",
        "live living home moved house flat apartment street here",
        _cues(
            rf"{I_HAVE} (?:liv(?:e|ed)|been living|settled) (?:here )?(?:in|on|near|outside|above) ",
            rf"{I_AM} (?:now |still )?(?:living|based) (?:in|on|near|outside) ",
            r"\b(?:I|[Ww]e) (?:have )?moved (?:back |here )?to ",
            r"\b[Mm]y (?:house|home|flat|apartment|cottage|garden|place|street) (?:is )?(?:in|on|near) ",
            r"\b[Hh]ere (?:in|at home in) (?=[A-Z])",
        ),
        begins="name",
    ),
    Field(
        "home_town",
        "Where does the writer come from?",
        "born grew up childhood hometown town come from",
        _cues(
            r"\b(?:I|[Ww]e) (?:grew up|was born|was raised|were born) (?:and raised )?(?:in|on|near) ",
            r"\bI (?:come|came|am|hail) (?:originally )?from ",
            r"\bI['’]m (?:originally )?from ",  # noqa: RUF001
            r"\b[Mm]y (?:home ?town|birthplace|childhood|village)(?: home)? (?:of|is|was|in) ",
        ),
        begins="name",
    ),
    Field(
        "age",
        "How old is the writer?",
        "years old age birthday turned",
        _cues(
            rf"{I_AM} (?:now |only |already )?(?=\d\d(?: years old)?\b(?! (?:minutes|miles|km|percent|%)))",
            r"\bI (?:have )?(?:just )?turn(?:ed)? (?=\d\d\b)",
        ),
        longest=3,
        begins="number",
    ),
    Field(
        "family",
        "Who is in the writer's family?",
        "wife husband daughter son mother father sister brother children grandchildren family",
        _cues(rf"\b(?:[Mm]y|[Oo]ur) (?:\w+ )?(?=(?:{RELATIONS}),? (?:[A-Z][\w'’-]+|and I\b))"),  # noqa: RUF001
        many=True,
        form=re.compile(rf"(?:{RELATIONS})\b(?:,? [A-Z][\w'’-]+)?"),  # noqa: RUF001
        least=-8.0,
    ),
    Field(
        "pets",
        "Which animals does the writer have?",
        "dog cat puppy kitten horse pet",
        _cues(
            rf"\b(?:[Mm]y|[Oo]ur) (?:\w+ )?(?=(?:{ANIMALS})\b)",
            r"\b(?:I|[Ww]e) (?:have|keep|got|adopted) (?:an? |two |three |four )?(?:\w+ )?"
            rf"(?=(?:{ANIMALS})\b)",
        ),
        many=True,
        form=re.compile(rf"(?:{ANIMALS})\b(?:,? [A-Z][\w-]+)?(?!['’])"),  # noqa: RUF001
        least=-8.0,
    ),
    Field(
        "languages",
        "Which languages does the writer speak?",
        "speak language fluent German French Spanish learning",
        _cues(
            r"\b(?:I|[Ww]e) (?:can )?(?:also )?(?:speak|write|read|learn(?:ed|t)?) (?:\w+ )?"
            rf"(?=(?:{LANGUAGES})\b)",
            rf"\b(?:I am|I['’]m) (?:\w+ )?(?:fluent in|learning) (?=(?:{LANGUAGES})\b)",  # noqa: RUF001
            rf"\b[Mm]y (?:\w+ )?(?=(?:{LANGUAGES}) (?:is|has|was|teacher|class|lessons?)\b)",
        ),
        longest=4,
        begins="name",
        many=True,
    ),
    Field(
        "interests",
        "What does the writer like to do in their free time?",
        "love enjoy hobby passion play club class weekend evening favourite",
        _cues(
            rf"{I_HAVE} (?:love|like|enjoy|adore) (?=\w+ing\b)",
            rf"{I_HAVE} (?:love|like|enjoy|adore) to (?=\w)",
            rf"{I_HAVE} (?:play|collect|practi[cs]e|sing|paint|knit|brew|grow|teach) (?:the |in )?(?=\w)",
            r"\b[Mm]y (?:hobby|hobbies|passion|love|favou?rite (?:hobby|pastime)) (?:is|are|for|of) (?!an? )",
            r"\b(?:at|to|from|in) my (?=[\w' -]{3,30} (?:class|club|group|lessons?|rehearsals?|choir)\b)",
            r"\b[Mm]y (?=(?:allotment|choir|book club|running club|garden shed|bees|bicycle|sailing boat)\b)",
            rf"{I_HAVE} (?:a )?passion(?:ate)? (?:about|for) ",
            r"\b[Mm]y (?:morning|evening|daily|weekly|weekend|own|beloved) (?=(?:yoga|meditation|runs?|swims?"
            r"|piano|guitar|violin|walks?|bike|chess|tennis|golf|dance|dancing|painting|knitting|gardening)\b)",
            rf"{I_AM} (?:an? )?(?:avid|keen|passionate|enthusiastic) ",
        ),
        many=True,
    ),
    Field(
        "volunteering",
        "Where does the writer volunteer?",
        "volunteer volunteering charity help shelter",
        _cues(
            r"\bI (?:also )?volunteer(?:ed)? (?:at|with|for|in) (?:the |an? )?",
            r"\b[Mm]y volunteering (?:at|with) (?:the )?",
        ),
        many=True,
    ),
    Field(
        "diet",
        "What does the writer eat or not eat?",
        "vegetarian vegan allergic eat gluten diet",
        _cues(
            rf"{I_AM} (?:an? )?(?:strict )?(?=vegetarian|vegan|pescatarian|coeliac|celiac|lactose|teetotal)",
            rf"{I_AM} (?=allergic to \w)",
            r"\b(?:I|[Ww]e) (?=(?:don['’]t|do not|never) (?:eat|drink) \w)",  # noqa: RUF001
        ),
        longest=5,
        many=True,
    ),
    Field(
        "education",
        "What did the writer study, or where?",
        "studied degree university college school graduated student",
        _cues(
            rf"{I_HAVE} (?:study|studied|been studying|read) (?=[\w ]+ (?:at|in) )",
            rf"{I_AM} (?:studying|majoring in) ",
            r"\bI (?:have )?(?:graduated|qualified) (?:from|in) (?:the )?",
            r"\b[Mm]y (?:degree|diploma|PhD|doctorate|master['’]s|thesis) (?:in|on|from) ",  # noqa: RUF001
        ),
        longest=8,
    ),
    Field(
        "plans",
        "What does the writer plan to do?",
        "plan planning going hope next year trip retire",
        _cues(
            rf"{I_AM} (?:planning|going|saving up) to ",
            r"\bI (?:plan|intend) to ",
            r"\bI (?:am|['’]m) planning (?=an? )",  # noqa: RUF001
        ),
        longest=8,
        many=True,
        least=1.5,
    ),
)

# What is found by its form; the key that it gets, and the identifier that it is.
CONTACTS = {"email": "email", "phone": "phone"}
MINE = re.compile(
    r"\b(?:my (?:new )?(?:number|mobile|phone|e-?mail|address)"
    r"|(?:call|text|ring|reach|write to|e-?mail) me)\b",
    re.IGNORECASE,
)


def contacts(sentence: str, name: str = "") -> list[tuple[str, Found]]:
    """Numbers and addresses that a sentence calls the writer's own: the field's key, and the place."""
    cue = MINE.search(sentence)
    if cue is None:
        return []
    return [
        (CONTACTS[one.kind], one)
        for one in identifiers(sentence, name=name)
        if one.kind in CONTACTS and one.start >= cue.start()
    ]
