"""How people name what they mean: a task by its id, its words or where it was shown, and a list by its name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.offline.when import pattern
from gateway.offline.wishes import Target

SEARCH_WORDS: Final = 12
SEARCH_WORD_LENGTH: Final = 60
QUOTES: Final = " \"'“”‘’"

_FILLER: Final = pattern(r"the|an?|my|our|to|with|of|it|one|tasks?|to-?dos?|is|are|was|were")
_TAGGED: Final = re.compile(r'@[^@<]* <TASK id="((?:[^\s":|,/<>]{1,60}:)?T\d{1,15})"/>')
_LIST_TAGGED: Final = re.compile(r"@[^@<]* <LIST>([^<]{1,200})</LIST>")
_REF: Final = r"(?:[^\s\":|,/<>]{1,60}:)?t\d{1,15}"  # in somebody else's list with the person's name for him
_AND: Final = r"(?:,? (?:and |& )?|,)"
_PLAIN_REFS: Final = pattern(rf"{_REF}(?:{_AND}{_REF})*")
_REFS: Final = pattern(rf"(?:tasks? )?#?(?:{_REF}|\d{{1,15}})(?:{_AND}#?(?:{_REF}|\d{{1,15}}))*")
_ONE_REF: Final = pattern(r"(?P<owner>[^\s\":|,/<>#]{1,60}:)?t?(?P<number>\d{1,15})")

_ORDINALS: Final = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "last": -1}
_NUMBERS: Final = re.compile(rf"\d{{1,15}}(?:{_AND}\d{{1,15}})*")
_POINTER: Final = re.compile(r"(?:the |that )?(?:number |no\.? |task |#)?(.+?)(?: one| task)?")
_EVERY: Final = ("all", "both", "all of them", "both of them", "all of these", "them all", "these", "those")
_SAME: Final = ("it", "that", "this", "task", "them")

_LIST_NAME: Final = pattern(
    r"(?:the |my )?(?:(?:list|project) (?:called |named )?)?(?P<name>.+?)(?: (?:list|project))?"
)
_FROM_LIST: Final = pattern(r"(?P<words>.+) (?:from|in|on) (?P<list>(?:the |my )?(?:list .+|\S.* list))")
_NO_NAME: Final = pattern(r"(?:the |my )?(?:(?:task |to-?do )?list|tasks|to-?dos)")


@dataclass(frozen=True, slots=True)
class Listed:
    """A task that was shown, and its title."""

    ref: str
    text: str


def untagged(text: str) -> str:
    """The text with what its tags stand for."""
    return _LIST_TAGGED.sub(lambda tag: f'"{tag[1].strip()}"', _TAGGED.sub(r"\1", text))


def refs_in(text: str) -> tuple[str, ...]:
    """The ids that a text consists of, where a bare number is one as well."""
    return _refs(text, _REFS)


def plain_refs_in(text: str) -> tuple[str, ...]:
    """The ids that a text consists of, each with its letter."""
    return _refs(text, _PLAIN_REFS)


def target_of(words: str, shown: Sequence[Listed]) -> Target | None:
    """The tasks that are meant by these words; None if they name nothing."""
    words = re.sub(r"^(?:the )?task ", "", words.strip(QUOTES), flags=re.IGNORECASE)
    if refs := refs_in(words) or pointed_at(words, shown):
        return Target(refs)
    place = _FROM_LIST.fullmatch(words)
    words, name = (place["words"], list_name(place["list"])) if place else (words, "")
    return Target(words=words, list=name) if search_terms(words) else None


def search_terms(words: str) -> str:
    """A filter for tasks with all of these words; "buying" finds "buy" too. Empty if no word can be searched for."""
    named = [word.strip(".,!?:;'") for word in re.split(r'[\s"“”]+', words)]
    telling = [word for word in named if any(map(str.isalnum, word)) and not _FILLER.fullmatch(word)]
    return " ".join(_term(word[:SEARCH_WORD_LENGTH]) for word in telling[:SEARCH_WORDS])


def chosen(said: str, shown: Sequence[Listed]) -> tuple[str, ...]:
    """The tasks that answer the question which one: "T12", "2", "the first one", "both"."""
    words = _pointer(said)
    refs = [listed.ref for listed in shown]
    if _NUMBERS.fullmatch(words):
        numbers = [int(number) for number in re.findall(r"\d+", words)]
        found = tuple(dict.fromkeys(refs[n - 1] if 1 <= n <= len(refs) else f"T{n}" for n in numbers))
        return found if set(found) <= set(refs) else ()
    return plain_refs_in(words) or pointed_at(said, shown)


def described(said: str, shown: Sequence[Listed]) -> tuple[str, ...]:
    """The tasks shown that have all these words."""
    telling = [word for word in said.lower().strip(QUOTES).split() if not _FILLER.fullmatch(word)]
    fitting = [listed.ref for listed in shown if all(word in listed.text.lower() for word in telling)]
    return tuple(fitting) if telling else ()


def pointed_at(said: str, shown: Sequence[Listed]) -> tuple[str, ...]:
    """The tasks meant by "the first one", "both" or, if only one was shown, "it"."""
    words = _pointer(said)
    refs = [listed.ref for listed in shown]
    if words in _ORDINALS and len(refs) > max(0, _ORDINALS[words]):
        return (refs[_ORDINALS[words]],)
    if words in _EVERY:
        return tuple(refs)
    return tuple(refs) if len(refs) == 1 and words in _SAME else ()


def list_name(words: str) -> str:
    """The name of a list in "the Work list"; empty where only the tasks as a whole are meant."""
    if re.fullmatch(r'["“][^"“”]+["”]', words.strip()):
        return words.strip(QUOTES)
    words = words.strip(QUOTES)
    named = None if _NO_NAME.fullmatch(words) else _LIST_NAME.fullmatch(words)
    return named["name"].strip(QUOTES) if named else ""


def in_list(name: str) -> str:
    """The filter for a list."""
    quoted = name.replace('"', "")
    return f'list:"{quoted}"' if not re.fullmatch(r"\w+", quoted) else f"list:{quoted}"


def _term(word: str) -> str:
    if word.isalpha() and len(word) > 5 and word.lower().endswith("ing"):
        stem = word[:-3]
        return f"{stem[:-1] if stem[-1] == stem[-2] else stem}*"
    return f'"{word}"'


def _refs(text: str, form: re.Pattern[str]) -> tuple[str, ...]:
    if not form.fullmatch(text):
        return ()
    found = _ONE_REF.finditer(re.sub(r"^tasks? ", "", text, flags=re.IGNORECASE))
    return tuple(dict.fromkeys(f"{one['owner'] or ''}T{int(one['number'])}" for one in found))


def _pointer(said: str) -> str:
    pointer = _POINTER.fullmatch(said.lower().strip(QUOTES))
    return pointer[1] if pointer else ""
