"""The ways to ask that people may choose: an id of ours changes the words and the tools, any other id nothing."""

import json
from pathlib import Path
from typing import get_args

import pytest
from chatkit.icons import IconName

from gateway.composer import TOOLS, ComposerTool, chosen, listed

SNAPSHOTS = Path(__file__).parent.parent / "snapshots" / "tools"


@pytest.mark.parametrize("tool_id", [None, "", "PLAN", "plan ", "bulk_add", "x" * 10_000, "\x00"])
def test_what_is_not_offered_changes_nothing(tool_id: str | None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert chosen(tool_id) is None
    assert bool(caplog.records) == (tool_id is not None)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
def test_a_choice_narrows_the_tools_to_some_that_exist(tool: ComposerTool) -> None:
    assert chosen(tool.id) == tool
    existing = {json.loads(path.read_text(encoding="utf-8"))["name"] for path in SNAPSHOTS.glob("*.json")}
    assert tool.tools < existing
    assert not tool.tools & {"tasks_delete", "share", "data_import"}
    assert tool.instruction.isascii()


def test_the_list_is_what_chatkit_takes_in_the_language_of_the_person() -> None:
    german = listed("de")
    assert [tool["id"] for tool in german] == ["plan", "capture", "chart"]
    assert german[0]["label"] == "Meinen Tag planen"
    assert listed("en")[0]["label"] == "Plan my day"
    known_icons = [name for part in get_args(IconName) for name in get_args(part)]
    for tool in german:
        assert tool.keys() == {"id", "label", "shortLabel", "placeholderOverride", "icon"}
        assert tool["icon"] in known_icons
    assert json.loads(json.dumps(german)) == german
