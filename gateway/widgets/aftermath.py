"""What a card says of the button that was just pressed on it: what came of it, and the way back."""

import re
from typing import Final

from mcp_types import CallToolResult, TextContent

from gateway.widgets.card import Component, Say
from gateway.widgets.counting import counts_in_words
from gateway.widgets.deeds import Deeds
from gateway.widgets.parts import row, text
from gateway.widgets.plain import plain
from gateway.widgets.reading import op_of, texts, values_of, word

# How the tools say what went wrong: `code: where: what. Fix: what to do`.
_ERROR: Final = re.compile(r"(?P<code>[a-z_]+): (?:changes\[\d+\]: )?(?P<why>.*?)(?: Fix: .*)?", re.DOTALL)


def outcome(after: CallToolResult, say: Say) -> str:
    """What came of a call, in a sentence."""
    if not after.is_error:
        values = values_of(after)
        refs = ", ".join(texts(values, "refs")[:5])
        counts = counts_in_words(values, say)
        return f"{counts}: {plain(refs)}" if "op" in values and counts else say("Nothing had to be changed.")
    said = " ".join(block.text for block in after.content if isinstance(block, TextContent))
    error = _ERROR.fullmatch(said)
    match error["code"] if error else "":
        case "conflict":
            return say("It has changed meanwhile. This is how it is now.")
        case "nothing_to_undo":
            return say("This has been undone already.")
    return say("That did not work: {why}", why=plain((error["why"] if error else said).rstrip(".")))


def note(after: CallToolResult | None, deeds: Deeds) -> list[Component]:
    """The sentence and, after a write, the button that takes it back."""
    if after is None:
        return []
    values = values_of(after)
    op = op_of(values, texts(values, "refs"))
    again = word(values, "tool") == "undo"
    return [row(text(outcome(after, deeds.say)), *deeds.undoing(op, again=again), key=f"after {op or 'nothing'}")]
