"""What a guest of ada's list Team tries, by every tool; what is hidden from him he spells nearly right."""

import json
from typing import Any

# Calls of a guest who looks around and guesses. `{plan}` is a task that he cannot see.
LOOKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("overview", {"show": "all"}),
    ("overview", {"show": "week"}),
    *(("tasks_find", {"filter": asked, "detail": "full"}) for asked in ("is:all", "is:trash", "zebr*", "-paint")),
    *(
        ("tasks_find", {"filter": asked})
        for asked in ("is:blocked", "is:blocking", "is:shared", "is:mine", "by:ada", "with:ada", "has:notes")
    ),
    *(
        ("tasks_find", {"filter": f"is:all {asked}"})
        for asked in (
            "list:zebr", "list:ada:zebr", "list:Team/zebr", "list:zebrlist", "tag:zebrtag", "tag:zebr*", "tag:any",
            "view:zebrview", "field:zebrfield=any", "with:zebr", "under:{plan}", "under:ada:zebr", "list:ada:Inbox",
        )
    ),
    *(("tasks_find", {"sort": sort, "limit": 1}) for sort in ("smart", "title", "manual", "created", "updated")),
    *(("tasks_find", {"refs": [ref]}) for ref in ("{plan}", "ada:zebr plan", "zebr plan", "ada:zebr in the Inbox")),
    *(("tasks_edit", {"changes": [{"refs": ["{fence}"], **change}]}) for change in (
        {"list": "zebrlist"}, {"list": "ada:zebrlist"}, {"list": "Team/zebrsection"}, {"tags": ["-zebrtag"]},
        {"blocked_by": ["{plan}"]}, {"blocked_by": ["ada:zebr plan"]}, {"parent": "{plan}"},
        {"position": "after {plan}"}, {"fields": {"zebrfield": "1"}}, {"assignee": "zebr"},
    )),
    ("tasks_complete", {"refs": ["{plan}"]}),
    ("tasks_delete", {"refs": ["{plan}"]}),
    ("tasks_delete", {"filter": "list:ada:zebrlist"}),
    ("organize", {"kind": "list", "action": "rename", "name": "zebrlist", "to": "Mine"}),
    ("organize", {"kind": "tag", "action": "rename", "name": "zebrtag", "to": "mine"}),
    ("organize", {"kind": "tag", "action": "delete", "name": "ada:zebrtag"}),
    ("share", {}),
    ("share", {"list": "Team"}),
    ("share", {"action": "leave", "list": "ada:zebrlist"}),
    ("history", {}),
    ("history", {"limit": 200, "ref": "{fence}"}),
    ("history", {"ref": "{plan}"}),
    ("history", {"ref": "ada:Team"}),
    *(("history", {"ref": f"ada:L{number}"}) for number in range(1, 9)),
    ("history", {"actor": "ada"}),
    ("undo", {"op": "ada:1"}),
    ("undo", {"op": "ada:9", "force": True}),
    *(("data_export", {"format": kind, "filter": "is:all"}) for kind in ("json", "csv", "ics", "markdown")),
    *(("data_export", {"format": kind, "filter": "is:all list:Team"}) for kind in ("json", "csv", "markdown")),
)  # fmt: skip

# Calls that would change something in ada's space, on a task of the shared list or on what stands around it.
TASK_WRITES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tasks_add", {"tasks": [{"title": "New", "list": "Team"}]}),
    ("tasks_add", {"tasks": [{"title": "New", "list": "ada:Team/Now", "tags": ["fresh"]}]}),
    ("tasks_add", {"tasks": [{"title": "New", "parent": "{fence}"}]}),
    *(("tasks_edit", {"changes": [{"refs": ["{fence}"], **change}]}) for change in (
        {"title": "Fences"}, {"append_notes": "more"}, {"comment": "Nice"}, {"due": "2031-01-01"}, {"tags": ["fresh"]},
        {"list": "Team/Now"}, {"parent": "{gate}"}, {"blocked_by": ["{gate}"]}, {"assignee": "me"}, {"clear": ["due"]},
        {"assignee": "ada"}, {"position": "bottom"}, {"title": "Fences", "comment": "Nice"},
    )),
    ("tasks_edit", {"changes": [{"priority": "p1"}], "filter": "list:Team"}),
    ("tasks_complete", {"refs": ["{fence}"]}),
    ("tasks_complete", {"refs": ["{fence}"], "cancelled": True}),
    ("tasks_delete", {"refs": ["{gate}"]}),
    ("tasks_delete", {"filter": "list:ada:Team"}),
)  # fmt: skip
OWNERS_WRITES: tuple[tuple[str, dict[str, Any]], ...] = tuple(
    call
    for whose in ("", "ada:")
    for call in (
        *(
            ("organize", {"kind": kind, "action": action, "name": f"{whose}{name}", **more})
            for kind, action, name, more in (
                ("list", "rename", "Team", {"to": "Mine"}),
                ("list", "set", "Team", {"options": {"color": "red"}}),
                ("list", "archive", "Team", {}),
                ("list", "delete", "Team", {}),
                ("list", "merge", "Team", {"to": "Own"}),
                ("list", "move", "Team", {"to": "top"}),
                ("section", "create", "Team/Mine", {}),
                ("section", "rename", "Team/Now", {"to": "Later"}),
                ("section", "delete", "Team/Now", {}),
                ("tag", "rename", "paint", {"to": "mine"}),
                ("tag", "delete", "paint", {}),
            )
        ),
        ("data_import", {"content": "- [ ] New\n", "format": "markdown", "list": f"{whose}Team"}),
    )
)


def filled(value: Any, refs: dict[str, str]) -> Any:
    """The arguments with references in place of their names."""
    text = json.dumps(value)
    for name, ref in refs.items():
        text = text.replace(f"{{{name}}}", ref)
    return json.loads(text)
