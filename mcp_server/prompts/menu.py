"""The prompts that are offered, in the order in which clients see them."""

from collections.abc import Sequence

from mcp_server.prompts.asking import Asked, Asking, make_prompt


def task_prompts() -> Sequence[Asking]:
    """What people ask a task app for again and again, and what takes several tools and some judgement."""
    return [
        make_prompt(
            "plan_day",
            "Plan a day",
            "A day that can be done: what is due or late, in an order, with what should move elsewhere.",
            Asked("date", "day", 'The day: "tomorrow", "mon" or 2026-12-01; today if left out.', "today"),
        ),
        make_prompt(
            "weekly_review",
            "Review a week",
            "What got done, what did not and why, what waits, and what comes next.",
            Asked(
                "week",
                "week",
                'The week to look back on: "last week" or 2026-W48; the last 7 days if left out.',
                "the last 7 days",
            ),
        ),
        make_prompt(
            "clean_up",
            "Clean up a list",
            "Find what is stale, double, vague or in the wrong place, and put it right together.",
            Asked("list", "list", "The list, List/Section or Inbox; everything if left out.", "all my lists"),
        ),
        make_prompt(
            "break_down",
            "Break a task down",
            "Turn a task that is too big to begin into small steps with an order and times.",
            Asked("task", "task", "The task, by its id (T12) or its exact title."),
        ),
        make_prompt(
            "catch_up",
            "Catch up",
            "What happened while I was away: finished, new, changed, late, and what others did in shared lists.",
            Asked(
                "since", "moment", 'Since when: "mon", "last 3 days" or 2026-12-01; yesterday if left out.', "yesterday"
            ),
        ),
        make_prompt(
            "capture",
            "Capture what is on my mind",
            "Turn notes, a message or minutes of a meeting into tasks, without doubles.",
            Asked(
                "notes",
                "text",
                "The text to take tasks from; if left out, I am asked for it.",
                "nothing yet: ask me what is on my mind, and wait for it",
            ),
        ),
    ]
