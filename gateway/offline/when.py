"""The words for a day, a time or a span in a message. What a day means is the task service's to say."""

import re
from typing import Final

from gateway.offline.wishes import Span

LONGEST_DUE_WORDS: Final = 8
ENDS: Final = " .!,"  # what may follow the last word


def pattern(text: str) -> re.Pattern[str]:
    """A form of words, whatever their case and the kind of their apostrophes."""
    return re.compile(text.replace("'", "['’]"), re.IGNORECASE)


_WEEKDAY: Final = (
    r"(?:mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|saturday|sunday"
    r"|(?:(?<=on )|(?<=by )|(?<=this )|(?<=next ))(?:sat|sun))"  # alone they are words: "the cat sat", "the sun"
)
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_COUNT: Final = r"(?:\d{1,4}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_UNIT: Final = r"(?:min(?:ute)?|hr|hour|day|workday|week|fortnight|month|year)s?"
_NTH: Final = r"\d\d?(?:st|nd|rd|th)?"
_DAY: Final = (
    r"(?:today|tonight|tomorrow|tmrw|(?:the )?day after tomorrow|next (?:week|month|year|workday)"
    rf"|(?:(?:this|next) )?{_WEEKDAY}|(?:(?<=on )the|this|next) weekend|end of day|eod|eow|eom|eoy"
    rf"|(?:the )?end of (?:(?:the|this|next) )?(?:week|month|year)|in {_COUNT} {_UNIT}|{_COUNT} {_UNIT} from now"
    r"|\d{4}-\d\d?-\d\d?(?:[t ]\d\d:\d\d(?::\d\d)?(?:z|[+-]\d\d:?\d\d)?)?"
    r"|\d{4}/\d\d?/\d\d?|\d\d?\.\d\d?\.\d{4}|\d\d?[/-]\d\d?[/-]\d{4}"
    rf"|(?:{_WEEKDAY},? )?(?:the )?(?:{_MONTH} {_NTH}|{_NTH}(?: of)? {_MONTH})(?:,? \d{{4}})?"
    r"|(?:(?<=on )|(?<=by ))the \d\d?(?:st|nd|rd|th))"
)
_CLOCK: Final = r"(?:(?:at )?(?:\d\d?(?::[0-5]\d)? ?[ap]\.?m|\d\d?:[0-5]\d)|at \d\d?|at noon)"
_PARTS: Final = r"(?:morning|afternoon|evening)"
_PART: Final = rf"(?:in the |this )?{_PARTS}"
DUE: Final = pattern(
    rf"(?:(?:due )?(?P<how>on|by|due) )?(?P<when>{_DAY}(?:,? (?:{_CLOCK}|noon))?(?: {_PART})?"
    rf"|{_DAY} {_PART},? {_CLOCK}|{_CLOCK}(?: {_PART})?(?:,? (?:on )?{_DAY})?|(?:noon|{_PART}) (?:on )?{_DAY}"
    rf"|(?:in the|this) {_PARTS})"
)

_AT_A_TIME: Final = pattern(_CLOCK)
_TO: Final = pattern(r"^(?:to|until|till|for|at) ")
_SPAN: Final = pattern(rf"(?:by |for )?(?P<count>{_COUNT}) (?:more )?(?P<unit>{_UNIT})(?: (?:later|more))?")
_WORDS: Final = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
# What it is counted in, and how many of them.
_UNITS: Final = {
    "min": (1, "minutes"),
    "minute": (1, "minutes"),
    "hr": (1, "hours"),
    "hour": (1, "hours"),
    "day": (1, "days"),
    "week": (7, "days"),
    "fortnight": (14, "days"),
    "month": (1, "months"),
    "year": (1, "years"),
}


def due_at_end(words: str) -> tuple[str, re.Match[str]] | None:
    """What stands before the due words, and these: the longest that end the text."""
    for start in [found.start() for found in re.finditer(r"\S+", words)][-LONGEST_DUE_WORDS:]:
        if due := DUE.fullmatch(words[start:].rstrip(ENDS)):
            return words[:start].rstrip(" ,:-–"), due
    return None


def words_of(due: re.Match[str]) -> str:
    """The due words as the task service wants them."""
    return due["when"].lower().replace(",", "")


def due_alone(words: str) -> str:
    """The due words that a text consists of, as the task service wants them; empty if it says something else."""
    words = _TO.sub("", words.strip(" .,!?"))
    if due := DUE.fullmatch(words) or DUE.fullmatch(f"on {words}"):
        return words_of(due)
    return words.lower() if _AT_A_TIME.fullmatch(words) else ""


def span_of(words: str) -> Span | None:
    """How long "by two weeks" is, counted in days or longer units, or in hours or minutes."""
    found = _SPAN.fullmatch(words.strip(" .,!?"))
    if found is None:
        return None
    said = found["count"].lower()
    count = int(said) if said.isdecimal() else _WORDS.index(said) + 1 if said in _WORDS else 1
    unit = _UNITS.get(found["unit"].lower().removesuffix("s"))
    return Span(count * unit[0], unit[1]) if unit else None
