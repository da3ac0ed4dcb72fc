"""A conversation as the model gets it: what the person said, what was asked of him, and what tools have said since.

Everything that stands between marks of the host is data. It is never taken for the person's words.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agents import TResponseInputItem

from gateway.approvals import WAITING
from gateway.composer import TOOLS

_MARK: Final = r"<(PAGE_CONTEXT|NOTE|SHOWN|ASKED|MODE|QUOTE|FILE)(?: [^<>]*)?>[^<]*</\1>\s*"
_MARKS: Final = re.compile(rf"(?:{_MARK})+")
_FIRST_MARK: Final = re.compile(r"<([A-Z_]+)[ >]")
_MODE: Final = re.compile(r"<MODE>([^<]*)</MODE>")
_FILE: Final = re.compile(r'<FILE(?: id="|>)(atc_\w+)')
_BY_THE_HOST: Final = ("PAGE_CONTEXT", "NOTE", "SHOWN", "ASKED", "MODE")
_PRESSED: Final = "<NOTE>The user pressed a button of a card: "
_DONE: Final = re.compile(r"op ((?:[^\s:]+:)?\d+): ")
_UNDOES: Final = re.compile(r"^note: this undoes op ((?:[^\s:]+:)?\d+)", re.MULTILINE)


@dataclass(slots=True)
class Exchange:
    """One message of the person, and what tools have said since."""

    text: str
    mode: str = ""
    files: tuple[str, ...] = ()
    outputs: list[str] = field(default_factory=list)
    waits: bool = False  # a call that was made last still waits for the person


@dataclass(frozen=True, slots=True)
class Heard:
    """The conversation, oldest message first, and the operations before the newest one that can be taken back."""

    exchanges: Sequence[Exchange]
    operations: Sequence[str]


def hear(conversation: str | list[TResponseInputItem]) -> Heard:
    """What there is to go on."""
    exchanges, mode = [Exchange("")], ""
    done: list[list[str]] = [[]]  # for each message, what tools have written since
    for item in _items(conversation):
        text = _text(item.get("content"))
        if item.get("type") == "function_call_output":
            output = _text(item.get("output"))
            done[-1].append(output)
            exchanges[-1].waits = output == WAITING
            if output != WAITING:
                exchanges[-1].outputs.append(output)
        elif item.get("role") != "user":
            continue
        elif _is_by_the_host(text):
            mode = found[1] if (found := _MODE.search(text)) else mode
            done[-1].append(_pressed(text))
        else:
            exchanges.append(Exchange(_without_marks(text), _mode_of(mode), tuple(_FILE.findall(_marks(text)))))
            done.append([])
            mode = ""
    return Heard(exchanges, _standing([output for outputs in done[:-1] for output in outputs]))


def _standing(outputs: Sequence[str]) -> tuple[str, ...]:
    """The operations that were not taken back and take nothing back, oldest first."""
    undone = {op for output in outputs for op in _UNDOES.findall(output)}
    ops = [found[1] for output in outputs if (found := _DONE.match(output)) and not _UNDOES.search(output)]
    return tuple(op for op in ops if op not in undone)


def _pressed(text: str) -> str:
    """What a tool said when a button of a card was pressed; empty for any other note."""
    if not text.startswith(_PRESSED):
        return ""
    rest = text.removeprefix(_PRESSED)
    try:
        _, end = json.JSONDecoder().raw_decode(rest)
    except ValueError:
        return ""
    return rest[end:].removeprefix(" -> ").removesuffix("</NOTE>")


def _mode_of(instruction: str) -> str:
    return next((tool.id for tool in TOOLS if instruction == tool.instruction), "")


def _is_by_the_host(text: str) -> bool:
    """Whether it is a note of the host's alone. The file or the quote of a message stands in the message."""
    first = _FIRST_MARK.match(text)
    return bool(first and first[1] in _BY_THE_HOST and not _without_marks(text))


def _marks(text: str) -> str:
    found = _MARKS.match(text)
    return found[0] if found else ""


def _without_marks(text: str) -> str:
    return text[len(_marks(text)) :].strip()


def _items(conversation: str | list[TResponseInputItem]) -> list[dict[str, object]]:
    if isinstance(conversation, str):
        return [{"role": "user", "content": conversation}]
    return [dict(item) for item in conversation]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return _text(content.get("text"))
    return "\n".join(_text(part) for part in content) if isinstance(content, list) else ""
