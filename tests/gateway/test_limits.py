"""The limits of the gateway: read from one setting, and printed in the documentation from the code."""

from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest

from gateway.limits import ChatLimits

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "chat.md"
BEGIN, END = "<!-- limits: begin -->", "<!-- limits: end -->"


def test_what_is_not_named_keeps_its_default() -> None:
    limits = ChatLimits.read("turns=7, turn_s=300")
    assert (limits.turns, limits.turn_s, limits.text) == (7, 300, ChatLimits().text)
    assert ChatLimits.read("") == ChatLimits()


@pytest.mark.parametrize("text", ["turn=1", "turns", "turns=", "turns=0", "turns=-1", "turns=x", "turns=99999999999"])
def test_what_is_no_limit_is_refused_with_the_names_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="the names are answers, calls, client_result"):
        ChatLimits.read(text)


def test_the_limits_are_printed_in_the_documentation(request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    rows = [f"| `{limit.name}` | {limit.default:,} | {limit.metadata['meaning']} |" for limit in fields(ChatLimits)]
    table = "\n".join(["| name | default | |", "| --- | --- | --- |", *rows])
    expected = f"{before}{BEGIN}\n{table}\n{END}{after}"
    if request.config.getoption("--update-snapshots"):
        DOCUMENT.write_text(expected, encoding="utf-8")
        text = expected
    assert text == expected, "run pytest --update-snapshots"
