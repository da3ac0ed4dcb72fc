"""The words for a day or a time at the end of a message. What they mean is the task service's to say."""

import re
from typing import Final

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


def due_at_end(words: str) -> tuple[str, re.Match[str]] | None:
    """What stands before the due words, and these: the longest that end the text."""
    for start in [found.start() for found in re.finditer(r"\S+", words)][-LONGEST_DUE_WORDS:]:
        if due := DUE.fullmatch(words[start:].rstrip(ENDS)):
            return words[:start].rstrip(" ,:-–"), due
    return None


def words_of(due: re.Match[str]) -> str:
    """The due words as the task service wants them."""
    return due["when"].lower().replace(",", "")
