"""An entry put into whatever people have in their files: all of it is still there, and the entry too."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from shared.commands.in_place import put_json, put_toml

URL: Final = "https://tasks.example.com/mcp"
ENTRY: Final = {"type": "http", "url": URL}
LEAVES: Final = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
)
VALUES: Final = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab{["\\,: ', max_size=3), inner, max_size=3),
)
SECTIONS: Final = st.dictionaries(st.sampled_from(["taskgate", "a", "]}"]), VALUES, max_size=3)
LISTS: Final = st.lists(VALUES | st.builds(lambda name: {"id": name}, st.sampled_from(["taskgate", "b"])), max_size=3)


def common(one: str, other: str) -> int:
    """How much two texts have in common from their beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@given(
    rest=st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
    section=st.none() | SECTIONS | LISTS,
    last=st.booleans(),
    indent=st.sampled_from([None, 1, 2, 4, "\t"]),
    wide=st.booleans(),
)
def test_any_json_says_afterwards_what_it_said_and_the_entry(
    rest: dict[str, Any], section: Any, last: bool, indent: int | str | None, wide: bool
) -> None:
    rest.pop("servers", None)
    ours = {} if section is None else {"servers": section}
    before = {**rest, **ours} if last else {**ours, **rest}
    text = json.dumps(before, indent=indent, separators=(" ,", " : ") if wide else None)
    listed = isinstance(section, list)
    new: Mapping[str, Any] = {**ENTRY, "id": "taskgate"} if listed else ENTRY
    after = put_json(text, "servers", "taskgate", new)

    found = json.loads(after)
    members = found.pop("servers")
    assert found == rest
    if listed:
        assert new in members
        former = [member for member in section if isinstance(member, dict) and member.get("id") == "taskgate"]
        assert len(members) == len(section) + (not former)
    else:
        assert members == {**(section or {}), "taskgate": new}
    assert list(json.loads(after)) == [*before, *(["servers"] if section is None else [])]
    # One place was edited: an entry that is new takes nothing away.
    new_here = not former if listed else "taskgate" not in (section or {})
    same_before = common(text, after)
    same_after = common(text[::-1], after[::-1])
    assert not new_here or same_before + same_after >= len(text)


@given(
    tables=st.lists(
        st.sampled_from(
            [
                "[a]\nb = 1\n",
                "[mcp_servers.a]\nurl = 'x'\n",
                "[[c]]\nd = [\n  [1],\n]\n",
                "# words\n",
                "[mcp_servers.taskgate.x]\ny = 1\n",
            ]
        ),
        unique=True,
    ),
    former=st.sampled_from(
        ["", "[mcp_servers.taskgate]\n", ' [ "mcp_servers" . \'taskgate\' ] #\n url= 1\nkept = "é"\n']
    ),
    place=st.integers(0, 5),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_toml_says_afterwards_what_it_said_and_the_entry(
    tables: list[str], former: str, place: int, end: str
) -> None:
    text = "".join([*tables[:place], former, *tables[place:]]).replace("\n", end)
    after = put_toml(text, "mcp_servers", "taskgate", {"url": URL}, frozenset({"url"}))
    before = tomllib.loads(text)
    wanted = before.setdefault("mcp_servers", {}).setdefault("taskgate", {})
    wanted["url"] = URL
    assert tomllib.loads(after) == before
    assert all(table.replace("\n", end) in after for table in tables)


def test_of_two_members_of_one_name_the_last_counts() -> None:
    text = '{"servers": {"taskgate": 1, "taskgate": 2}, "servers": {"taskgate": 3, "taskgate": 4}}'
    assert json.loads(put_json(text, "servers", "taskgate", ENTRY)) == {"servers": {"taskgate": ENTRY}}


def test_a_new_table_stands_apart() -> None:
    table = f'\n[mcp_servers.taskgate]\nurl = "{URL}"\n'
    for text in ("a = 1", "a = 1\n"):
        assert put_toml(text, "mcp_servers", "taskgate", {"url": URL}, frozenset()) == f"a = 1\n{table}"
