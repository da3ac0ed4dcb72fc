"""How a text becomes a prompt: the arguments that a person may give are put into it, quoted and never more than that.

Prompts name tools and hold nothing of anybody's tasks, so they need no database and are the same for everybody. They
name only tools that every deployment has.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final, Literal

from fastmcp.prompts import Prompt, PromptArgument, PromptResult

from mcp_server.answering import carried
from shared.errors import Problem

Kind = Literal["day", "week", "moment", "list", "task", "text"]

FOLDER: Final = Path(__file__).parent
LONGEST: Final = 160
LONGEST_TEXT: Final = 8_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One argument: what it is, and what stands in the text if nobody gives it; without that it has to be given."""

    name: str
    kind: Kind
    description: str
    otherwise: str = ""

    @property
    def is_required(self) -> bool:
        """Whether the prompt says nothing without it."""
        return not self.otherwise


class Asking(Prompt):
    """A prompt whose text stands in a file of its name."""

    text: str
    asked: tuple[Asked, ...]

    async def render(self, arguments: Mapping[str, str] | None = None) -> PromptResult:
        """The instructions, with these arguments in them."""
        with carried():
            return PromptResult(_filled(self.text, self.asked, arguments or {}), description=self.description)

    def kind_of(self, argument: str) -> Kind | None:
        """What an argument holds; None if there is no such argument."""
        return next((asked.kind for asked in self.asked if asked.name == argument), None)


def make_prompt(name: str, title: str, description: str, *asked: Asked) -> Asking:
    """The prompt of that name; the rules that hold for all of them stand at its end."""
    own, rules = (_read(file) for file in (name, "rules"))
    return Asking(
        name=name,
        title=title,
        description=description,
        arguments=[
            PromptArgument(name=one.name, description=one.description, required=one.is_required) for one in asked
        ],
        text=f"{own}\n\n{rules}",
        asked=asked,
    )


def quoted(text: str, longest: int) -> str:
    """A person's words among ours: one line in quotes, whatever they are."""
    plain = "\n".join(text.encode("utf-8", "replace").decode().strip().splitlines())
    return json.dumps(plain if len(plain) <= longest else f"{plain[:longest]}...", ensure_ascii=False)


def _filled(text: str, asked: tuple[Asked, ...], arguments: Mapping[str, Any]) -> str:
    for name in arguments:
        if name not in {one.name for one in asked}:
            taken = ", ".join(one.name for one in asked)
            raise Problem("unknown_argument", json.dumps(name[:40]), f"leave it out; this prompt takes {taken}")
    return Template(text).substitute({one.name: _shown(one, arguments.get(one.name, "")) for one in asked})


def _shown(asked: Asked, given: str) -> str:
    if given.strip():
        return quoted(given, LONGEST_TEXT if asked.kind == "text" else LONGEST)
    if asked.is_required:
        raise Problem("missing_argument", f"{asked.name} is missing", f"give {asked.name}: {asked.description}")
    return asked.otherwise


def _read(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8").strip()
