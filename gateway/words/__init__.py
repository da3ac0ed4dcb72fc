"""The languages the gateway speaks: which one a person asked for, and our sentences in it.

The English sentence is the key, written where it is used; each other language is one table from English to its own
words. What no table holds stays English. Text for the model is never translated.
"""

from collections.abc import Mapping
from typing import Final, Self

from gateway.words.german import GERMAN

Template = str | tuple[str, str]
"""A sentence with `{names}` in it; or two of them, for a `count` of one and for any other."""

ENGLISH: Final = "en"
TABLES: Final[Mapping[str, Mapping[Template, Template]]] = {"de": GERMAN}
LANGUAGES: Final = (ENGLISH, *TABLES)


class Sentence(str):
    """English text made of a template and values, which remembers both, so that it can be said in another language."""

    english: Template
    values: Mapping[str, object]

    def __new__(cls, english: Template, /, **values: object) -> Self:
        sentence = super().__new__(cls, said(ENGLISH, english, **values))
        sentence.english, sentence.values = english, values
        return sentence


def said(language: str, english: Template, /, **values: object) -> str:
    """The sentence in this language. Values are put in as they are; without values the text is taken literally."""
    template = TABLES.get(language, {}).get(english, english)
    if isinstance(template, tuple):
        one, many = template
        template = one if values["count"] == 1 else many
    return template.format_map(values) if values else template


def translated(language: str, text: str) -> str:
    """A finished English text in this language, if it is one of ours; any other text unchanged."""
    if isinstance(text, Sentence):
        values = {
            name: translated(language, value) if isinstance(value, Sentence) else value
            for name, value in text.values.items()
        }
        return said(language, text.english, **values)
    return said(language, text)


def language_of(accept_language: str | None) -> str:
    """The language we speak that an `Accept-Language` header likes best; English when it names none of ours."""
    wanted: dict[str, float] = {}
    for part in (accept_language or "").split(","):
        tag, _, parameter = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        wanted[language] = max(_quality(parameter), wanted.get(language, 0.0))
    anything = wanted.pop("*", 0.0)
    # A dict keeps the order of the header, so of two languages liked equally the first is taken.
    liked = {language: quality for language, quality in wanted.items() if language in LANGUAGES}
    liked.update({language: anything for language in LANGUAGES if language not in liked})
    best = max(liked, key=lambda language: liked[language])
    return best if liked[best] > 0 else ENGLISH


def _quality(parameter: str) -> float:
    """How much a language is liked, from 0 to 1; anything that is not such a number means not at all."""
    name, _, number = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        quality = float(number) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
