"""What is said around a wish: courtesy, which is taken off, and small talk, which is answered as such."""

from typing import Final

from gateway.offline.when import ENDS, pattern
from gateway.offline.wishes import Topic

_GREETING: Final = r"(?:hi|hello|hey|good (?:morning|afternoon|evening|day))(?: there)?"
_LEAD: Final = pattern(
    rf"^(?:(?:{_GREETING}|ok(?:ay)?|so|well|and|also|then|now|please|pls|just|let me|(?:can|could|would|will) you"
    r"|i(?:'d like| would like| want) you to)[\s,.!]+)+(?!there\b)(?=\S)"
)
_TRAIL: Final = pattern(r"(?:[ ,]+(?:please|pls)|[,.!] ?(?:thanks|thank you))$")
_DISMISSAL: Final = pattern(r"no|none(?: of (?:them|these|those))?|neither|nothing|never ?mind|cancel|forget it|stop")
_CONSENT: Final = pattern(
    r"yes|yeah|yep|sure|ok(?:ay)?|do it|yes,? do it|go ahead|go on|approved?|confirm(?:ed)?|agreed"
)
_TALK: Final = (
    (Topic.HELLO, pattern(_GREETING)),
    (
        Topic.THANKS,
        pattern(r"(?:many |ok |great )?(?:thanks|thank you|cheers|ok|okay|great|perfect)(?: a lot| so much)?"),
    ),
    (Topic.WHAT_TO_ADD, pattern(r"(?:add|create|new|remind me)(?: (?:to|an?|new|another|tasks?|to-?dos?))*:?")),
    (
        Topic.WHICH_TASK,
        pattern(
            r"(?:(?:i'm|i am|all) )?(?:done|finished|complete|cancel|reopen)"
            r"|(?:delete|remove|move|reschedule|postpone|rename|restore)(?: (?:an?|the|my) task)?"
        ),
    ),
    (
        Topic.HELP,
        pattern(
            r"\?+|help(?: me)?|i need help|what (?:can|do) (?:you|i) (?:do|say|ask|understand)(?: here)?\??"
            r"|how (?:does this|do you|can i|do i) .+|who are you\??|what are you\??|are you .+|(?:what|which) model.*"
        ),
    ),
)


def without_courtesy(text: str) -> str:
    """The text on one line, without what is only polite."""
    return without_ending(_LEAD.sub("", " ".join(text.split()), count=1))


def without_ending(said: str) -> str:
    """The text without the polite words and the marks that end it."""
    while True:
        shorter = said.rstrip(ENDS)
        if courtesy := _TRAIL.search(shorter, max(0, len(shorter) - 12)):
            shorter = shorter[: courtesy.start()]
        if shorter in ("", said):
            return said
        said = shorter


def small_talk(said: str) -> Topic | None:
    """What is answered without doing anything."""
    return next((topic for topic, form in _TALK if form.fullmatch(said)), None)


def is_consent(text: str) -> bool:
    """Whether somebody who was asked agrees."""
    return bool(_CONSENT.fullmatch(without_courtesy(text)))


def is_dismissal(text: str) -> bool:
    """Whether somebody who was asked does not want to answer."""
    return bool(_DISMISSAL.fullmatch(without_courtesy(text)))
